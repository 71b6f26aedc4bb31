#pragma once
/// The Weibull distribution of a tail of large distances, as libMR's fit_high fits it. std only; pure; safe from any
/// thread. Scheirer et al., Meta-Recognition: The Theory and Practice of Recognition Score Analysis, TPAMI 2011.
#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <span>
#include <vector>

namespace nearfar::common {

/// P(distance <= x) = 1 - exp(-((x + 1 - smallest) / scale)^shape), 0 where x + 1 < smallest. By default 0 everywhere.
struct WeibullTail {
  double scale = std::numeric_limits<double>::infinity(), shape = 1, smallest = 0;

  double cdf(double x) const { return -std::expm1(-std::pow(std::max(x + 1 - smallest, 0.0) / scale, shape)); }
};

/// Maximum likelihood for the values, which are shifted so that the smallest becomes 1. The shape k is the root of
///   sum x^k ln x / sum x^k - mean ln x - 1/k,  which rises in k;  scale = (mean x^k)^(1/k).
/// A tail without two different values has no finite shape: the default, 0 everywhere.
inline WeibullTail fit_weibull_tail(std::span<const double> tail) {
  if (tail.empty()) return {};
  const double smallest = *std::min_element(tail.begin(), tail.end());
  std::vector<double> logs(tail.size());  // ln x >= 0
  std::transform(tail.begin(), tail.end(), logs.begin(), [&](double x) { return std::log1p(x - smallest); });
  const auto count = static_cast<double>(logs.size());
  const double largest = *std::max_element(logs.begin(), logs.end()),
               mean = std::accumulate(logs.begin(), logs.end(), 0.0) / count;
  double powers = 0;                      // sum (x / max x)^k of the last call: at most `count`, no overflow
  const auto slope = [&](double shape) {  // of the likelihood, times a negative number
    double weighted = 0;
    powers = 0;
    for (const double log : logs) {
      const double power = std::exp(shape * (log - largest));
      powers += power;
      weighted += power * log;
    }
    return weighted / powers - mean - 1 / shape;
  };
  double low = 0, high = 1;
  while (slope(high) <= 0) {
    low = high;
    high *= 2;
    if (high > 1e12) return {};  // equal to the last digits
  }
  for (int step = 0; step < 200 && high - low > 1e-14 * high; ++step) {
    const double middle = (low + high) / 2;
    (slope(middle) > 0 ? high : low) = middle;
  }
  slope(high);
  return {std::exp(largest + std::log(powers / count) / high), high, smallest};
}

}  // namespace nearfar::common
