#include "metrics/friedman.h"

#include "metrics/difference.h"

#include <nearfar/error.h>

#include <boost/math/distributions/chi_squared.hpp>
#include <boost/math/distributions/fisher_f.hpp>
#include <boost/math/distributions/students_t.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace nearfar {
namespace {

/// Doubled ranks: whole numbers, ties or none, so that nothing is rounded.
struct RankSums {
  double methods = 0, sets = 0;
  std::vector<std::size_t> doubled = {};  ///< of each method: 2 R_j
  double squares = 0;                     ///< A
};

void check(const ValuesBySet& values) {
  if (values.size() < 2 || values.front().size() < 2) {
    throw Error(ErrorKind::data, fmt::format("{} methods on {} sets; ranks over sets need two of each at least",
                                             values.size(), values.empty() ? 0 : values.front().size()));
  }
  for (const std::vector<double>& method : values) {
    if (method.size() != values.front().size()) {
      throw Error(ErrorKind::data,
                  fmt::format("a method with values of {} sets beside one of {}; all need the same sets", method.size(),
                              values.front().size()));
    }
    for (const double value : method) {
      if (!std::isfinite(value)) throw Error(ErrorKind::data, fmt::format("a value to be ranked is {}", value));
    }
  }
}

RankSums rank_sums(const ValuesBySet& values) {
  check(values);
  const std::size_t methods = values.size(), sets = values.front().size();
  RankSums sums{.methods = static_cast<double>(methods),
                .sets = static_cast<double>(sets),
                .doubled = std::vector<std::size_t>(methods, 0)};
  std::vector<std::size_t> order(methods);
  for (std::size_t set = 0; set < sets; ++set) {
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::ranges::sort(order, [&](std::size_t a, std::size_t b) { return values[a][set] > values[b][set]; });
    for (std::size_t first = 0; first < methods;) {
      std::size_t last = first;
      while (last < methods && values[order[last]][set] == values[order[first]][set]) ++last;
      const std::size_t doubled = first + 1 + last;  // first + 1, …, last on average, twice
      for (; first < last; ++first) {
        sums.doubled[order[first]] += doubled;
        sums.squares += static_cast<double>(doubled * doubled) / 4;
      }
    }
  }
  return sums;
}

double sum_of(const RankSums& sums, std::size_t method) { return static_cast<double>(sums.doubled[method]) / 2; }

/// log of (1 / k!)^(b - 1): the probability that all sets rank alike by chance.
double log_p_of_agreement(const RankSums& sums) { return -(sums.sets - 1) * std::lgamma(sums.methods + 1); }

}  // namespace

Friedman friedman(const ValuesBySet& values) {
  const RankSums sums = rank_sums(values);
  const double k = sums.methods, b = sums.sets;
  Friedman result{.methods = values.size(), .sets = values.front().size()};
  result.degrees = result.methods - 1;
  result.error_degrees = result.degrees * (result.sets - 1);
  double between = 0;
  for (std::size_t m = 0; m < values.size(); ++m) {
    result.mean_ranks.push_back(sum_of(sums, m) / b);
    const double distance = sum_of(sums, m) - b * (k + 1) / 2;
    between += distance * distance;
  }
  const double spread = sums.squares - b * k * (k + 1) * (k + 1) / 4;  // A - C: multiples of 1/4, exact
  if (spread == 0) return result;
  result.chi_square = (k - 1) * between / spread;
  result.chi_square_p = boost::math::cdf(boost::math::complement(boost::math::chi_squared(k - 1), result.chi_square));
  const double rest = b * spread - between;  // of b (k - 1) - T1, times spread / (k - 1)
  if (rest == 0) {
    result.f = std::numeric_limits<double>::infinity();
    result.f_p = std::exp(log_p_of_agreement(sums));
  } else {
    result.f = (b - 1) * between / rest;
    result.f_p = boost::math::cdf(boost::math::complement(boost::math::fisher_f(k - 1, (b - 1) * (k - 1)), result.f));
  }
  return result;
}

PairwiseP::PairwiseP(std::size_t methods, std::vector<double> p) : methods_(methods), p_(std::move(p)) {
  if (p_.size() != methods * (methods - 1) / 2)
    throw Error(ErrorKind::internal, fmt::format("{} values of p for the pairs of {} methods", p_.size(), methods));
}

double PairwiseP::at(std::size_t a, std::size_t b) const {
  if (a == b) return 1;
  const std::size_t low = std::min(a, b), high = std::max(a, b);
  return p_.at(low * methods_ - low * (low + 1) / 2 + high - low - 1);
}

PairwiseP conover_holm(const ValuesBySet& values) {
  const RankSums sums = rank_sums(values);
  const double k = sums.methods, b = sums.sets, degrees = (b - 1) * (k - 1);
  double squares_of_sums = 0;
  for (std::size_t m = 0; m < values.size(); ++m) squares_of_sums += sum_of(sums, m) * sum_of(sums, m);
  const double error = std::sqrt(2 * b * (sums.squares - squares_of_sums / b) / degrees);
  const boost::math::students_t student(degrees);
  // A thousand methods have half a million pairs, but few distances of rank sums.
  std::vector<double> known(*std::ranges::max_element(sums.doubled) + 1, -1.0);
  const auto p_of = [&](std::size_t doubled_distance) {
    double& p = known[doubled_distance];
    if (p < 0) {
      const double distance = static_cast<double>(doubled_distance) / 2;
      p = doubled_distance == 0 ? 1
          : error > 0           ? 2 * boost::math::cdf(boost::math::complement(student, distance / error))
                                : 0;  // all sets rank alike
    }
    return p;
  };
  std::vector<double> p;
  p.reserve(values.size() * (values.size() - 1) / 2);
  for (std::size_t i = 0; i < values.size(); ++i) {
    for (std::size_t j = i + 1; j < values.size(); ++j)
      p.push_back(p_of(std::max(sums.doubled[i], sums.doubled[j]) - std::min(sums.doubled[i], sums.doubled[j])));
  }
  return {values.size(), holm(p)};
}

PairwiseP wilcoxon_holm(const ValuesBySet& values) {
  check(values);
  std::vector<double> p, differences(values.front().size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    for (std::size_t j = i + 1; j < values.size(); ++j) {
      std::ranges::transform(values[i], values[j], differences.begin(), std::minus<>());
      p.push_back(wilcoxon(differences).p);
    }
  }
  return {values.size(), holm(p)};
}

std::vector<std::vector<std::size_t>> cliques(std::span<const double> mean_ranks, const PairwiseP& p, double alpha) {
  if (mean_ranks.size() != p.methods())
    throw Error(ErrorKind::internal, fmt::format("{} mean ranks, p of {} methods", mean_ranks.size(), p.methods()));
  std::vector<std::size_t> order(mean_ranks.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::stable_sort(order, {}, [&](std::size_t m) { return mean_ranks[m]; });
  std::vector<std::vector<std::size_t>> groups;
  std::size_t first = 0;  // of the longest group that ends at `last`
  for (std::size_t last = 1; last <= order.size(); ++last) {
    std::size_t start = first;
    if (last < order.size()) {
      for (std::size_t other = last; other-- > first;) {
        if (p.at(order[other], order[last]) >= alpha) continue;
        start = other + 1;
        break;
      }
    } else {
      start = last;
    }
    // The group before ends here where it cannot take `last` in.
    if (start > first && last - first > 1)
      groups.emplace_back(order.begin() + static_cast<std::ptrdiff_t>(first),
                          order.begin() + static_cast<std::ptrdiff_t>(last));
    first = start;
  }
  return groups;
}

}  // namespace nearfar
