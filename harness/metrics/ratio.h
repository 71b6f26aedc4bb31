#pragma once
/// How many times as long one thing takes as another, with an interval that asks nothing of how times are distributed
/// (they have long tails: a busy machine only ever adds). Pure, safe from any thread.
#include <span>

namespace nearfar {

struct Ratio {
  double estimate = 1, low = 1, high = 1;
  double coverage = 0;  ///< of [low, high]: at least 1 - alpha, less where there are too few values for that
};

/// Median of values, halfway between the middle two of an even number. Error(data) if there are none.
double median(std::span<const double> values);

/// numerators[i] / denominators[i] were measured one after the other. The median of the ratios, and the interval
/// between two of them that the sign test does not refuse (order statistics, Conover 1999, section 3.2); with fewer
/// than six pairs that is all of them, at less than 95 %. `alpha` in (0, 1). Error(data) for none, for other lengths,
/// and for a value that is not finite and above 0.
Ratio paired_ratio(std::span<const double> numerators, std::span<const double> denominators, double alpha = 0.05);

/// Of two sets of values that were measured apart: the median of all quotients and the interval of the Mann-Whitney
/// test, that is Hodges and Lehmann's shift (1963) of the logarithms. Exact up to 40 values each, above that by the
/// normal distribution. Errors as above; the lengths may differ.
Ratio unpaired_ratio(std::span<const double> numerators, std::span<const double> denominators, double alpha = 0.05);

}  // namespace nearfar
