#pragma once
/// The loops over the numbers of one tile of similarities: written for the vectoriser, compiled for AVX-512, AVX2 and
/// the plain processor, and chosen when the program runs (pair_loops.cpp). Pure functions on memory of the caller. The
/// order of a sum depends on the width of the processor's vectors, never on threads.
#include <cstdint>

namespace nearfar {

/// rows x columns numbers, row by row without gaps. On the diagonal, where rows and columns are the same rows of the
/// batch, only the pairs above it count: the loops write 0 into the others.
template <class T>
struct PairTile {
  T* numbers;
  std::int64_t rows, columns;
  bool diagonal;
};

/// Results of each row and each column.
template <class T>
struct Sides {
  T *rows, *columns;
};
template <class T>
struct ConstSides {
  const T *rows, *columns;
};

/// Numbers x become exp(scale x - shift), their sums go to `sums`. scale x - shift <= about 0; below about -87
/// (float64: -708) the result is 0.
template <class T>
void exponentials(PairTile<T> tile, T scale, T shift, Sides<T> sums);

/// The largest number of each row and column (-infinity where it has none), and the sums of exp(scale (x - largest)).
/// The numbers stay. scale > 0.
template <class T>
void log_sums(PairTile<T> tile, T scale, Sides<T> largest, Sides<T> sums);

/// Numbers x become x * (r_i + r_j).
template <class T>
void scale_by_sides(PairTile<T> tile, ConstSides<T> factors);

/// Numbers x become a_i exp(scale (x - m_i)) + a_j exp(scale (x - m_j)), both exponents no more than 0.
template <class T>
void weigh_both_sides(PairTile<T> tile, T scale, ConstSides<T> shifts, ConstSides<T> factors);

/// Of ReweightOOD.
template <class T>
struct PairSlopes {
  T tau, m_b, c_b, m_w, c_w;
};
/// One sum of exponentials in each kind of pair: of exp(number - largest).
template <class T>
struct KindSums {
  T largest, sum;
};
template <class T>
struct BothKinds {
  KindSums<T> within, between;
};

/// Similarities s become -w exp(l - largest) within a class and w exp(l - largest) between classes, l = -w s / tau or
/// w s / tau; never the wrong sign, so that the kind can be told from it. `exponents` is room for as many numbers.
/// `classes`: a number for the class of each row and column.
template <class T>
BothKinds<T> reweighted(PairTile<T> tile, const PairSlopes<T>& slopes, ConstSides<T> classes, T* exponents);

/// Negative numbers times `within`, others times `between`.
template <class T>
void scale_by_kind(PairTile<T> tile, T within, T between);

}  // namespace nearfar
