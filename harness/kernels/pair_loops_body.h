#pragma once
/// The bodies of pair_loops.h, inlined into one function for each kind of processor. Included by pair_loops.cpp only.
#include "kernels/pair_loops.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>

#define NEARFAR_INLINE inline __attribute__((always_inline))

namespace nearfar::pair_loops {

template <class T>
struct ExpConstants;
template <>
struct ExpConstants<float> {
  using Word = std::uint32_t;
  static constexpr float lowest = -87, highest = 87;  // results that are normal numbers
  static constexpr float round = 12582912.0F + 127;   // 1.5 * 2^23: adding it leaves an integer in the low bits
  static constexpr float ln2_high = 0.693359375F, ln2_low = -2.12194440e-4F;  // the first exact with small factors
  static constexpr std::size_t mantissa = 23, terms = 7;
};
template <>
struct ExpConstants<double> {
  using Word = std::uint64_t;
  static constexpr double lowest = -708, highest = 708;
  static constexpr double round = 6755399441055744.0 + 1023;
  static constexpr double ln2_high = 6.93145751953125e-1, ln2_low = 1.42860682030941723212e-6;
  static constexpr std::size_t mantissa = 52, terms = 13;
};

/// 1 / k!, of Taylor's series of e^r.
template <class T>
inline constexpr auto kInverseFactorials = [] {
  std::array<T, ExpConstants<T>::terms + 1> inverse{};
  double factorial = 1;
  for (std::size_t k = 0; k < inverse.size(); ++k) {
    if (k > 0) factorial *= static_cast<double>(k);
    inverse[k] = static_cast<T>(1 / factorial);
  }
  return inverse;
}();

template <class T, std::size_t k = 0>
NEARFAR_INLINE T exp_series(T r) {
  constexpr T kFactor = kInverseFactorials<T>[k];
  if constexpr (k == ExpConstants<T>::terms) {
    return kFactor;
  } else {
    return exp_series<T, k + 1>(r) * r + kFactor;
  }
}

/// e^x = 2^n e^r with |r| <= ln 2 / 2; the series ends where its rest is below half a unit of the last place.
/// Arguments are clamped to where the result is a normal number. NaN stays NaN.
template <class T>
NEARFAR_INLINE T clamped_exp(T x) {
  using C = ExpConstants<T>;
  using Word = typename C::Word;
  const T above = x < C::lowest ? C::lowest : x;
  const T y = above > C::highest ? C::highest : above;
  const T shifted = y * T(1.4426950408889634) + C::round;
  const T n = shifted - C::round;
  const T r = (y - n * C::ln2_high) - n * C::ln2_low;
  return exp_series(r) * std::bit_cast<T>(static_cast<Word>(std::bit_cast<Word>(shifted) << C::mantissa));
}

/// The same for differences from a largest number: exactly 0 where it would be clamped. A tiny number instead could
/// make products denormal, which are slow.
template <class T>
NEARFAR_INLINE T exp_below(T x) {
  const T value = clamped_exp(x);
  return x < ExpConstants<T>::lowest ? T(0) : value;
}

/// Rows of a tile as the loops go over them: the first column that counts, and zeros before it.
template <class T>
NEARFAR_INLINE std::int64_t begin_row(const PairTile<T>& tile, T* numbers, std::int64_t row) {
  if (!tile.diagonal) return 0;
  std::fill_n(numbers, row + 1, T(0));
  return row + 1;
}

template <class T>
NEARFAR_INLINE void exponentials(PairTile<T> tile, T scale, T shift, Sides<T> sums) {
  std::fill_n(sums.columns, tile.columns, T(0));
  for (std::int64_t i = 0; i < tile.rows; ++i) {
    T* x = tile.numbers + i * tile.columns;
    T sum = 0;
    const std::int64_t first = begin_row(tile, x, i);
#pragma omp simd reduction(+ : sum)
    for (std::int64_t j = first; j < tile.columns; ++j) {
      const T e = exp_below(x[j] * scale - shift);
      x[j] = e;
      sum += e;
      sums.columns[j] += e;
    }
    sums.rows[i] = sum;
  }
}

template <class T>
NEARFAR_INLINE void log_sums(PairTile<T> tile, T scale, Sides<T> largest, Sides<T> sums) {
  constexpr T kNone = -std::numeric_limits<T>::infinity();
  std::fill_n(largest.columns, tile.columns, kNone);
  std::fill_n(sums.columns, tile.columns, T(0));
  for (std::int64_t i = 0; i < tile.rows; ++i) {
    T* x = tile.numbers + i * tile.columns;
    T most = kNone;
    const std::int64_t first = begin_row(tile, x, i);
#pragma omp simd reduction(max : most)
    for (std::int64_t j = first; j < tile.columns; ++j) {
      most = x[j] > most ? x[j] : most;
      largest.columns[j] = x[j] > largest.columns[j] ? x[j] : largest.columns[j];
    }
    largest.rows[i] = most;
  }
  for (std::int64_t i = 0; i < tile.rows; ++i) {
    const T* x = tile.numbers + i * tile.columns;
    const T most = largest.rows[i];
    T sum = 0;
#pragma omp simd reduction(+ : sum)
    for (std::int64_t j = tile.diagonal ? i + 1 : 0; j < tile.columns; ++j) {
      sum += exp_below(scale * (x[j] - most));
      sums.columns[j] += exp_below(scale * (x[j] - largest.columns[j]));
    }
    sums.rows[i] = sum;
  }
}

template <class T>
NEARFAR_INLINE void scale_by_sides(PairTile<T> tile, ConstSides<T> factors) {
  for (std::int64_t i = 0; i < tile.rows; ++i) {
    T* x = tile.numbers + i * tile.columns;
    const T factor = factors.rows[i];
#pragma omp simd
    for (std::int64_t j = 0; j < tile.columns; ++j) x[j] *= factor + factors.columns[j];
  }
}

template <class T>
NEARFAR_INLINE void weigh_both_sides(PairTile<T> tile, T scale, ConstSides<T> shifts, ConstSides<T> factors) {
  for (std::int64_t i = 0; i < tile.rows; ++i) {
    T* x = tile.numbers + i * tile.columns;
    const T shift = shifts.rows[i], factor = factors.rows[i];
    const std::int64_t first = begin_row(tile, x, i);
#pragma omp simd
    for (std::int64_t j = first; j < tile.columns; ++j) {
      const T by_row = x[j] - shift, by_column = x[j] - shifts.columns[j];
      x[j] = factor * exp_below(scale * (by_row > 0 ? T(0) : by_row)) +
             factors.columns[j] * exp_below(scale * (by_column > 0 ? T(0) : by_column));
    }
  }
}

template <class T>
NEARFAR_INLINE BothKinds<T> reweighted(PairTile<T> tile, const PairSlopes<T>& slopes, ConstSides<T> classes,
                                       T* exponents) {
  constexpr T kNone = -std::numeric_limits<T>::infinity();
  T within = kNone, between = kNone;  // the largest exponents
  const T inverse = 1 / slopes.tau;
  const auto [tau, m_b, c_b, m_w, c_w] = slopes;
  for (std::int64_t i = 0; i < tile.rows; ++i) {
    T* x = tile.numbers + i * tile.columns;
    T* l = exponents + i * tile.columns;
    const T its_class = classes.rows[i];
    const std::int64_t first = begin_row(tile, x, i);
#pragma omp simd reduction(max : within, between)
    for (std::int64_t j = first; j < tile.columns; ++j) {
      const bool same = its_class == classes.columns[j];
      const T s = x[j];
      const T slope = same ? -m_w : m_b, offset = same ? c_w : -c_b;
      const T weight = 1 / (1 + clamped_exp(-(slope * s + offset)));
      const T signed_weight = same ? -weight : weight;
      const T exponent = signed_weight * s * inverse;
      x[j] = signed_weight;
      l[j] = exponent;
      const T of_within = same ? exponent : kNone, of_between = same ? kNone : exponent;
      within = of_within > within ? of_within : within;
      between = of_between > between ? of_between : between;
    }
  }
  T within_sum = 0, between_sum = 0;
  for (std::int64_t i = 0; i < tile.rows; ++i) {
    T* x = tile.numbers + i * tile.columns;
    const T* l = exponents + i * tile.columns;
    T within_row = 0, between_row = 0;
#pragma omp simd reduction(+ : within_row, between_row)
    for (std::int64_t j = tile.diagonal ? i + 1 : 0; j < tile.columns; ++j) {
      const bool same = x[j] < 0;
      const T e = exp_below(l[j] - (same ? within : between));
      within_row += same ? e : T(0);
      between_row += same ? T(0) : e;
      x[j] *= e;
    }
    within_sum += within_row;
    between_sum += between_row;
  }
  return {{within, within_sum}, {between, between_sum}};
}

template <class T>
NEARFAR_INLINE void scale_by_kind(PairTile<T> tile, T within, T between) {
  T* x = tile.numbers;
#pragma omp simd
  for (std::int64_t k = 0; k < tile.rows * tile.columns; ++k) x[k] *= x[k] < 0 ? within : between;
}

}  // namespace nearfar::pair_loops
