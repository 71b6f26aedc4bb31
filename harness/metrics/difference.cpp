#include "metrics/difference.h"

#include <nearfar/error.h>

#include <boost/math/distributions/normal.hpp>
#include <boost/math/distributions/students_t.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

namespace nearfar {
namespace {

constexpr std::size_t kMostExact = 50;

struct Quantile {
  double half_width = 0;  ///< in standard errors
  double p = 1;
};

/// `degrees` = 0: normal.
Quantile quantile(double statistic, double degrees, double alpha) {
  const auto of = [&](const auto& distribution) {
    return Quantile{boost::math::quantile(boost::math::complement(distribution, alpha / 2)),
                    2 * boost::math::cdf(boost::math::complement(distribution, std::abs(statistic)))};
  };
  return degrees == 0 ? of(boost::math::normal()) : of(boost::math::students_t(degrees));
}

/// Ranks of magnitudes from 1 up, ties averaged; `ties`: sum of t³ - t over groups of t tied ones.
std::vector<double> ranks_of(const std::vector<double>& values, double& ties) {
  std::vector<std::size_t> order(values.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(),
            [&](std::size_t a, std::size_t b) { return std::abs(values[a]) < std::abs(values[b]); });
  std::vector<double> ranks(values.size());
  for (std::size_t first = 0; first < order.size();) {
    std::size_t last = first;
    while (last < order.size() && std::abs(values[order[last]]) == std::abs(values[order[first]])) ++last;
    for (std::size_t i = first; i < last; ++i) ranks[order[i]] = static_cast<double>(first + 1 + last) / 2;
    const auto count = static_cast<double>(last - first);
    ties += count * count * count - count;
    first = last;
  }
  return ranks;
}

/// P(W <= w) where each of the ranks is positive by the toss of a coin. Doubled ranks are whole, ties or none.
double exact_cdf(const std::vector<double>& ranks, double w) {
  std::vector<double> ways(ranks.size() * (ranks.size() + 1) + 1, 0.0);  // by doubled sum; divided by 2^(ranks so far)
  ways[0] = 1;
  for (const double one : ranks) {
    const auto rank = static_cast<std::size_t>(2 * one);
    for (std::size_t sum = ways.size(); sum-- > 0;) ways[sum] = (ways[sum] + (sum >= rank ? ways[sum - rank] : 0)) / 2;
  }
  double below = 0;
  for (std::size_t sum = 0; sum < ways.size() && static_cast<double>(sum) <= 2 * w; ++sum) below += ways[sum];
  return below;
}

}  // namespace

Difference paired_difference(std::span<const double> by_seed, double image_variance, double alpha) {
  if (by_seed.empty()) throw Error(ErrorKind::data, "there are no paired seeds to compare");
  for (const double one : by_seed) {
    if (!std::isfinite(one)) throw Error(ErrorKind::data, fmt::format("a difference is {}", one));
  }
  const auto n = static_cast<double>(by_seed.size());
  Difference result{.image_variance = image_variance, .seeds = by_seed.size()};
  result.estimate = std::accumulate(by_seed.begin(), by_seed.end(), 0.0) / n;
  if (by_seed.size() > 1) {
    for (const double one : by_seed) result.seed_variance += (one - result.estimate) * (one - result.estimate);
    result.seed_variance /= (n - 1) * n;
  }
  const double variance = result.seed_variance + image_variance, error = std::sqrt(variance);
  if (variance == 0) {  // the same scores, or as good as
    result.low = result.high = result.estimate;
    result.p = result.estimate == 0 ? 1 : 0;
    return result;
  }
  const double degrees =
      result.seed_variance == 0 ? 0 : (n - 1) * (variance / result.seed_variance) * (variance / result.seed_variance);
  const Quantile at = quantile(result.estimate / error, degrees, alpha);
  result.low = result.estimate - at.half_width * error;
  result.high = result.estimate + at.half_width * error;
  result.p = at.p;
  return result;
}

SignedRank wilcoxon(std::span<const double> differences) {
  std::vector<double> values;
  std::copy_if(differences.begin(), differences.end(), std::back_inserter(values), [](double d) { return d != 0; });
  SignedRank result{.n = values.size()};
  if (values.empty()) return result;
  double ties = 0;
  const std::vector<double> ranks = ranks_of(values, ties);
  for (std::size_t i = 0; i < values.size(); ++i) result.w += values[i] > 0 ? ranks[i] : 0;
  const auto n = static_cast<double>(values.size());
  const double all = n * (n + 1) / 2;
  result.exact = values.size() <= kMostExact;
  if (result.exact) {
    result.p = std::min(1.0, 2 * exact_cdf(ranks, std::min(result.w, all - result.w)));
  } else {
    const double variance = n * (n + 1) * (2 * n + 1) / 24 - ties / 48;
    result.p = variance > 0 ? quantile((result.w - all / 2) / std::sqrt(variance), 0, 0.05).p : 1;
  }
  return result;
}

std::vector<double> holm(std::span<const double> p) {
  std::vector<std::size_t> order(p.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return p[a] < p[b]; });
  std::vector<double> adjusted(p.size());
  double highest = 0;
  for (std::size_t i = 0; i < order.size(); ++i) {
    highest = std::max(highest, std::min(1.0, static_cast<double>(p.size() - i) * p[order[i]]));
    adjusted[order[i]] = highest;
  }
  return adjusted;
}

}  // namespace nearfar
