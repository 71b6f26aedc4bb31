// SupCon on the CPU. The sums over positives need no tile: the sum of the similarities to one's own class is a product
// with the sum of its rows. So tiles hold exponentials alone, and their labels do not matter.
#include "kernels/contrastive.h"
#include "kernels/pair_tiles.h"

#include <ATen/ops/full.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>

#include <array>
#include <cmath>
#include <limits>
#include <numeric>
#include <span>
#include <type_traits>

namespace nearfar::contrastive {
namespace {

constexpr double kNone = -std::numeric_limits<double>::infinity();

/// log of a sum of exponentials, as exponents come: the largest is kept apart.
struct LogSum {
  double largest = kNone, sum = 0;

  void add(double its_largest, double its_sum) {
    if (its_sum == 0) return;  // of nothing
    if (its_largest > largest) {
      sum = sum * std::exp(largest - its_largest) + its_sum;
      largest = its_largest;
    } else {
      sum += its_sum * std::exp(its_largest - largest);
    }
  }
  double value() const { return largest + std::log(sum); }
};

/// Rows in the order of their labels; rows of one label are a class.
struct Classes {
  std::vector<std::int64_t> order;
  std::vector<std::int64_t> first;  ///< of each class in `order`, and the end

  explicit Classes(std::span<const std::int64_t> labels) : order(labels.size()) {
    std::iota(order.begin(), order.end(), 0);
    const auto label = [&](std::int64_t row) { return labels[static_cast<std::size_t>(row)]; };
    std::sort(order.begin(), order.end(),
              [&](std::int64_t a, std::int64_t b) { return label(a) != label(b) ? label(a) < label(b) : a < b; });
    for (std::size_t i = 0; i < order.size(); ++i)
      if (i == 0 || label(order[i]) != label(order[i - 1])) first.push_back(static_cast<std::int64_t>(i));
    first.push_back(static_cast<std::int64_t>(order.size()));
  }
  std::int64_t count() const { return static_cast<std::int64_t>(first.size()) - 1; }
  std::span<const std::int64_t> rows(std::int64_t which) const {
    const auto i = static_cast<std::size_t>(which);
    return std::span(order).subspan(static_cast<std::size_t>(first[i]),
                                    static_cast<std::size_t>(first[i + 1] - first[i]));
  }
};

/// The products of rows, in float64.
template <class A, class B>
double dot(const A* a, const B* b, std::int64_t width) {
  double sum = 0;
#pragma omp simd reduction(+ : sum)
  for (std::int64_t k = 0; k < width; ++k) sum += static_cast<double>(a[k]) * static_cast<double>(b[k]);
  return sum;
}

template <class T>
class SupCon {
 public:
  SupCon(const at::Tensor& z, const at::Tensor& labels, const Supervision& by, bool with_gradient)
      : rows_(z.contiguous()),
        labels_(labels.contiguous()),
        count_(rows_.size(0)),
        width_(rows_.size(1)),
        first_row_(rows_.template const_data_ptr<T>()),
        sharpness_(static_cast<T>(1 / by.temperature)),
        scale_(by.temperature / by.base_temperature / static_cast<double>(count_)),
        with_gradient_(with_gradient),
        squares_(size(count_)),
        positives_(size(count_)),
        anchors_(size(count_)),
        sums_(size(count_)),
        shifts_(size(count_)),
        factors_(size(count_)) {}

  LossAndGradient run() {
    const auto options = rows_.options();
    gradient_ = with_gradient_ ? at::zeros_like(rows_) : at::empty({0}, options);
    if (!measure()) {
      const double nan = std::numeric_limits<double>::quiet_NaN();
      return {at::full({}, nan, options), gradient_.fill_(nan)};
    }
    if (count_ < 2) return {at::zeros({}, options), gradient_};  // no other row, so no pair
    visit_classes();
    choose_shift();
    const PairTiles<T> tiles(rows_);
    tiles.for_each([&](const Place& place) { sum_exponentials(tiles, place); });
    const double value = finish_sums();
    if (with_gradient_) tiles.for_each([&](const Place& place) { add_gradient(tiles, place); });
    return {at::full({}, value, options), gradient_};
  }

 private:
  using Place = typename PairTiles<T>::Place;
  /// A number for each row or column of a tile. Aligned: where a vectorised sum begins must not depend on the thread.
  struct alignas(64) Side : std::array<T, PairTiles<T>::kMostSide> {};

  // Exponents that are known to lie in -kSafe ... kSafe can share one shift: e^(-2 kSafe) is far from 0.
  static constexpr double kSafe = std::is_same_v<T, float> ? 30 : 300;

  static std::size_t size(std::int64_t n) { return static_cast<std::size_t>(n); }
  const T* row(std::int64_t i) const { return first_row_ + i * width_; }

  double sharp() const { return static_cast<double>(sharpness_); }

  /// Norms. False: a number is not finite.
  bool measure() {
    at::parallel_for(0, count_, 256, [&](std::int64_t first, std::int64_t last) {
      for (std::int64_t i = first; i < last; ++i) squares_[size(i)] = dot(row(i), row(i), width_);
    });
    return std::all_of(squares_.begin(), squares_.end(), [](double square) { return std::isfinite(square); });
  }

  /// What positives give to the value and to the gradient: of each class its rows' sum says it all.
  void visit_classes() {
    const Classes classes({labels_.const_data_ptr<std::int64_t>(), size(count_)});
    at::parallel_for(0, classes.count(), 1, [&](std::int64_t first, std::int64_t last) {
      for (std::int64_t c = first; c < last; ++c) visit_class(classes.rows(c));
    });
  }

  void visit_class(std::span<const std::int64_t> members) {
    if (members.size() < 2) return;
    const double others = static_cast<double>(members.size() - 1);
    std::vector<double> sum(size(width_));
    for (const std::int64_t i : members) add_to(sum.data(), row(i));
    for (const std::int64_t i : members) {
      anchors_[size(i)] = 1;
      positives_[size(i)] = (dot(row(i), sum.data(), width_) - squares_[size(i)]) * sharp() / others;
      // Once as anchor and once as positive of each of the others.
      if (with_gradient_) start_gradient(i, sum.data(), -2 * scale_ * sharp() / others);
    }
  }

  void add_to(double* sum, const T* values) const {
    for (std::int64_t k = 0; k < width_; ++k) sum[k] += static_cast<double>(values[k]);
  }

  void start_gradient(std::int64_t i, const double* sum, double factor) {
    const T* values = row(i);
    T* out = gradient_.template mutable_data_ptr<T>() + i * width_;
    for (std::int64_t k = 0; k < width_; ++k)
      out[k] = static_cast<T>(factor * (sum[k] - static_cast<double>(values[k])));
  }

  /// Are all exponents, by Cauchy and Schwarz, so small that one shift does for them? Else each row and column of a
  /// tile has its own.
  void choose_shift() {
    const double bound = *std::max_element(squares_.begin(), squares_.end()) * sharp();
    one_shift_ = bound <= kSafe;
    shift_ = one_shift_ ? static_cast<T>(bound) : T(0);
  }

  /// Afterwards the tile holds exponentials where one shift does, else products.
  void sum_exponentials(const PairTiles<T>& tiles, const Place& place) {
    Side row_sums, column_sums, row_largest, column_largest;
    tiles.multiply(place);
    if (one_shift_) {
      exponentials<T>(place.tile, sharpness_, shift_, {row_sums.data(), column_sums.data()});
    } else {
      log_sums<T>(place.tile, sharpness_, {row_largest.data(), column_largest.data()},
                  {row_sums.data(), column_sums.data()});
    }
    const auto add = [&](std::int64_t first, std::int64_t count, const Side& largest, const Side& sums) {
      for (std::int64_t i = 0; i < count; ++i) {
        const double its_sum = static_cast<double>(sums[size(i)]);
        if (one_shift_) {
          sums_[size(first + i)].sum += its_sum;
        } else {
          sums_[size(first + i)].add(static_cast<double>(largest[size(i)]) * sharp(), its_sum);
        }
      }
    };
    add(place.first_row, place.tile.rows, row_largest, row_sums);
    add(place.first_column, place.tile.columns, column_largest, column_sums);
  }

  /// The value; and for the gradient what each row contributes to the factor of its pairs.
  double finish_sums() {
    double total = 0;
    for (std::size_t i = 0; i < sums_.size(); ++i) {
      if (one_shift_) sums_[i].largest = static_cast<double>(shift_);
      const double log = sums_[i].value(), factor = scale_ * sharp() * anchors_[i];
      if (anchors_[i] != 0) total += log - positives_[i];
      shifts_[i] = static_cast<T>(log / sharp());
      factors_[i] = static_cast<T>(one_shift_ ? factor * std::exp(static_cast<double>(shift_) - log) : factor);
    }
    return scale_ * total;
  }

  /// Of similarity s_ij: p_ij + p_ji, p the share of a pair among the exponentials of an anchor's row.
  void add_gradient(const PairTiles<T>& tiles, const Place& place) {
    const auto sides = [&](const std::vector<T>& of) {
      return ConstSides<T>{of.data() + place.first_row, of.data() + place.first_column};
    };
    if (!tiles.kept()) {
      Side row_sums, column_sums;
      tiles.multiply(place);
      if (one_shift_) exponentials<T>(place.tile, sharpness_, shift_, {row_sums.data(), column_sums.data()});
    }
    if (one_shift_) {
      scale_by_sides<T>(place.tile, sides(factors_));
    } else {
      weigh_both_sides<T>(place.tile, sharpness_, sides(shifts_), sides(factors_));
    }
    tiles.add_products(place, gradient_);
  }

  at::Tensor rows_, labels_;  // [N,E], [N]
  std::int64_t count_, width_;
  const T* first_row_;
  T sharpness_;  // similarities are products times this, in T as in the loops
  double scale_;
  bool with_gradient_;
  bool one_shift_ = true;
  T shift_ = 0;
  // Of each row: its norm's square, its mean similarity to its positives, 1 if it has any.
  std::vector<double> squares_, positives_, anchors_;
  std::vector<LogSum> sums_;
  std::vector<T> shifts_, factors_;  // of the gradient's exponentials
  at::Tensor gradient_;              // [N,E]
};

}  // namespace

LossAndGradient supervised_on_cpu(const at::Tensor& z, const at::Tensor& labels, const Supervision& by,
                                  bool with_gradient) {
  return by_type(z, [&]<class T>() { return SupCon<T>(z, labels, by, with_gradient).run(); });
}

}  // namespace nearfar::contrastive
