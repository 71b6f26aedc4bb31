#include "metrics/ratio.h"

#include <nearfar/error.h>

#include <boost/math/distributions/binomial.hpp>
#include <boost/math/distributions/normal.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <vector>

namespace nearfar {
namespace {

constexpr std::size_t kMostExact = 40;

void require_positive(std::span<const double> values) {
  if (values.empty()) throw Error(ErrorKind::data, "there are no values to make a ratio of");
  for (const double value : values) {
    if (!std::isfinite(value) || value <= 0)
      throw Error(ErrorKind::data, fmt::format("a ratio of {}: expected finite values above 0", value));
  }
}

/// Between the k-th smallest and the k-th largest, k from 1. `below(k)` = P(fewer than k): what lies outside on either
/// side.
template <class Below>
Ratio between(std::vector<double> sorted, double alpha, Below&& below) {
  std::sort(sorted.begin(), sorted.end());
  std::size_t k = 1;
  while (2 * (k + 1) <= sorted.size() && below(k + 1) <= alpha / 2) ++k;
  return {.estimate = median(sorted),
          .low = sorted[k - 1],
          .high = sorted[sorted.size() - k],
          .coverage = std::max(0.0, 1 - 2 * below(k))};
}

/// P(U = u) of Mann and Whitney's statistic for n and m values without ties.
std::vector<double> mann_whitney(std::size_t n, std::size_t m) {
  // shares[j][u]: of the subsets so far, by how many they have and their sum of ranks above the least. Item i enters
  // with the probability that keeps all subsets of n out of n + m equally likely.
  const std::size_t most = n * m;
  std::vector<std::vector<double>> shares(n + 1, std::vector<double>(most + 1, 0.0));
  shares[0][0] = 1;
  for (std::size_t i = 0; i < n + m; ++i) {
    const auto left = static_cast<double>(n + m - i);
    for (std::size_t j = std::min(i, n) + 1; j-- > 0;) {
      const double enters = static_cast<double>(n - j) / left;
      const std::size_t above = i - j;  // of the others are below it
      for (std::size_t u = most + 1; u-- > 0;) {
        const double share = shares[j][u];
        if (share == 0) continue;
        if (j < n && above <= m) shares[j + 1][u + above] += share * enters;
        shares[j][u] = share * (1 - enters);
      }
    }
  }
  return shares[n];
}

}  // namespace

double median(std::span<const double> values) {
  if (values.empty()) throw Error(ErrorKind::data, "there are no values to take the median of");
  std::vector<double> sorted(values.begin(), values.end());
  std::sort(sorted.begin(), sorted.end());
  const std::size_t half = sorted.size() / 2;
  return sorted.size() % 2 == 1 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}

Ratio paired_ratio(std::span<const double> numerators, std::span<const double> denominators, double alpha) {
  require_positive(numerators);
  require_positive(denominators);
  if (numerators.size() != denominators.size()) {
    throw Error(ErrorKind::data, fmt::format("{} values cannot be paired with {}: expected as many of each",
                                             numerators.size(), denominators.size()));
  }
  std::vector<double> ratios;
  for (std::size_t i = 0; i < numerators.size(); ++i) ratios.push_back(numerators[i] / denominators[i]);
  const boost::math::binomial signs(static_cast<double>(ratios.size()), 0.5);
  return between(std::move(ratios), alpha,
                 [&](std::size_t k) { return boost::math::cdf(signs, static_cast<double>(k - 1)); });
}

Ratio unpaired_ratio(std::span<const double> numerators, std::span<const double> denominators, double alpha) {
  require_positive(numerators);
  require_positive(denominators);
  const std::size_t n = numerators.size(), m = denominators.size();
  std::vector<double> quotients;
  for (const double a : numerators) {
    for (const double b : denominators) quotients.push_back(a / b);
  }
  if (std::max(n, m) <= kMostExact) {
    std::vector<double> below = mann_whitney(n, m);
    for (std::size_t u = 1; u < below.size(); ++u) below[u] += below[u - 1];
    return between(std::move(quotients), alpha, [&](std::size_t k) { return below[k - 1]; });
  }
  const auto product = static_cast<double>(n * m);
  const boost::math::normal about(product / 2, std::sqrt(product * static_cast<double>(n + m + 1) / 12));
  return between(std::move(quotients), alpha,
                 [&](std::size_t k) { return boost::math::cdf(about, static_cast<double>(k) - 0.5); });
}

}  // namespace nearfar
