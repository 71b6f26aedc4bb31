#pragma once
/// Every loss once more, by plain loops in float64, as its paper or its authors' code says. Where a loss lets no
/// gradient through a part of its formula, that part is of `fixed`, the rest of `z`: differences over z alone are then
/// the gradient that autograd must find.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>
#include <vector>

namespace nearfar::testing::oracle {

using Row = std::vector<double>;
using Rows = std::vector<Row>;
using Labels = std::vector<std::int64_t>;

struct Case {
  Rows z, fixed;
  Labels labels;
  Rows prototypes;  ///< before the batch; empty for losses without
};

inline double dot(const Row& a, const Row& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

inline Row unit(Row row) {
  const double length = std::max(std::sqrt(dot(row, row)), 1e-12);
  for (double& value : row) value /= length;
  return row;
}

inline double log_sum_exp(const Row& values) {
  double most = -std::numeric_limits<double>::infinity();
  for (const double value : values) most = std::max(most, value);
  double sum = 0;
  for (const double value : values) sum += std::exp(value - most);
  return most + std::log(sum);
}

inline double minus_log_probability(const Row& logits, std::int64_t label) {
  return log_sum_exp(logits) - logits[static_cast<std::size_t>(label)];
}

inline double cross_entropy(const Case& one) {
  double sum = 0;
  for (std::size_t i = 0; i < one.z.size(); ++i) sum += minus_log_probability(one.z[i], one.labels[i]);
  return sum / static_cast<double>(one.z.size());
}

inline double logitnorm(const Case& one) {
  Case scaled = one;
  for (Row& row : scaled.z) {
    const double length = std::sqrt(dot(row, row)) + 1e-7;
    for (double& value : row) value /= length * 0.04;
  }
  return cross_entropy(scaled);
}

inline double supcon(const Case& one) {
  constexpr double kTau = 0.1, kBase = 0.07;
  const std::size_t rows = one.z.size();
  double sum = 0;
  for (std::size_t i = 0; i < rows; ++i) {
    Row others;
    double positives = 0, pull = 0;
    for (std::size_t j = 0; j < rows; ++j) {
      if (i == j) continue;
      const double s = dot(one.z[i], one.z[j]) / kTau;
      others.push_back(s);
      if (one.labels[i] != one.labels[j]) continue;
      ++positives;
      pull += s;
    }
    if (positives > 0) sum += log_sum_exp(others) - pull / positives;
  }
  return kTau / kBase * sum / static_cast<double>(rows);
}

inline double reweightood(const Case& one) {
  const auto sigmoid = [](double x) { return 1 / (1 + std::exp(-x)); };
  Row within, between;
  for (std::size_t i = 0; i < one.z.size(); ++i) {
    for (std::size_t j = i + 1; j < one.z.size(); ++j) {
      const double s = dot(one.z[i], one.z[j]), weighed = dot(one.fixed[i], one.fixed[j]);
      if (one.labels[i] == one.labels[j]) {
        within.push_back(-sigmoid(1 - 2 * weighed) * s / 0.1);
      } else {
        between.push_back(sigmoid(5 * weighed - 4) * s / 0.1);
      }
    }
  }
  if (within.empty() || between.empty()) return -1;
  const double sum = log_sum_exp(within) + log_sum_exp(between);
  return sum > 0 ? sum : std::exp(sum) - 1;
}

inline Rows cider_moved(Rows prototypes, const Rows& z, const Labels& labels, double proto_m = 0.95) {
  for (std::size_t j = 0; j < z.size(); ++j) {
    Row& prototype = prototypes[static_cast<std::size_t>(labels[j])];
    for (std::size_t d = 0; d < prototype.size(); ++d) prototype[d] = proto_m * prototype[d] + (1 - proto_m) * z[j][d];
    prototype = unit(prototype);
  }
  return prototypes;
}

inline double cider(const Case& one) {
  const Rows moved = cider_moved(one.prototypes, one.z, one.labels);
  const Rows fixed = cider_moved(one.prototypes, one.fixed, one.labels);
  double compactness = 0, dispersion = 0;
  for (std::size_t i = 0; i < one.z.size(); ++i) {
    Row logits;
    for (const Row& prototype : fixed) logits.push_back(dot(one.z[i], prototype) / 0.1);
    compactness += minus_log_probability(logits, one.labels[i]);
  }
  compactness *= 0.1 / 0.07 / static_cast<double>(one.z.size());
  for (std::size_t c = 0; c < moved.size(); ++c) {
    double sum = 0;
    for (std::size_t j = 0; j < moved.size(); ++j) sum += j == c ? 0 : std::exp(dot(moved[c], moved[j]) / 0.1);
    dispersion += std::log(sum / static_cast<double>(moved.size() - 1));
  }
  return 2 * compactness + dispersion / static_cast<double>(moved.size());
}

/// Divides the rows, or the columns, by their sums.
inline void divide(Rows& table, bool by_row) {
  const std::size_t outer = by_row ? table.size() : table[0].size(), inner = by_row ? table[0].size() : table.size();
  for (std::size_t i = 0; i < outer; ++i) {
    const auto at = [&](std::size_t j) -> double& { return by_row ? table[i][j] : table[j][i]; };
    double sum = 0;
    for (std::size_t j = 0; j < inner; ++j) sum += at(j);
    for (std::size_t j = 0; j < inner; ++j) at(j) /= std::max(sum, 1e-12);
  }
}

/// [N,K]; prototype j belongs to class j % classes.
inline Rows palm_assignment(const Rows& z, const Rows& prototypes) {
  Rows q(z.size(), Row(prototypes.size()));
  double sum = 0;
  for (std::size_t i = 0; i < z.size(); ++i) {
    for (std::size_t k = 0; k < prototypes.size(); ++k) sum += q[i][k] = std::exp(dot(z[i], prototypes[k]) / 0.05);
  }
  const auto scale = [&](double by) {
    for (Row& row : q) {
      for (double& value : row) value *= by;
    }
  };
  scale(1 / sum);
  for (int iteration = 0; iteration < 3; ++iteration) {
    divide(q, false);
    scale(1 / static_cast<double>(prototypes.size()));
    divide(q, true);
    scale(1 / static_cast<double>(z.size()));
  }
  scale(static_cast<double>(z.size()));
  return q;
}

/// Keeps what is of the image's class in `q` and among its five largest in `by`.
inline Rows palm_kept(Rows q, Rows by, const Labels& labels, std::int64_t classes) {
  for (std::size_t i = 0; i < q.size(); ++i) {
    const auto other = [&](std::size_t k) { return static_cast<std::int64_t>(k) % classes != labels[i]; };
    for (std::size_t k = 0; k < q[i].size(); ++k) {
      if (other(k)) q[i][k] = by[i][k] = 0;
    }
    Row sorted = by[i];
    std::sort(sorted.rbegin(), sorted.rend());
    for (std::size_t k = 0; k < q[i].size(); ++k) {
      if (by[i][k] < sorted[std::min<std::size_t>(4, sorted.size() - 1)]) q[i][k] = 0;
    }
  }
  return q;
}

inline std::int64_t palm_classes(const Rows& prototypes) { return static_cast<std::int64_t>(prototypes.size()) / 6; }

/// After a batch z; who is assigned to what is decided by `fixed`.
inline Rows palm_moved(const Rows& prototypes, const Rows& z, const Rows& fixed, const Labels& labels) {
  const Rows q = palm_assignment(fixed, prototypes);
  Rows weights = palm_kept(q, q, labels, palm_classes(prototypes));
  divide(weights, true);
  divide(weights, false);
  Rows moved;
  for (std::size_t k = 0; k < prototypes.size(); ++k) {
    Row row(z[0].size());
    for (std::size_t d = 0; d < row.size(); ++d) {
      double mean = 0;
      for (std::size_t i = 0; i < z.size(); ++i) mean += weights[i][k] * z[i][d];
      row[d] = 0.999 * prototypes[k][d] + (1 - 0.999) * mean;
    }
    moved.push_back(unit(row));
  }
  return moved;
}

inline double palm(const Case& one) {
  const std::int64_t classes = palm_classes(one.prototypes);
  const Rows moved = palm_moved(one.prototypes, one.z, one.fixed, one.labels);
  const Rows fixed = palm_moved(one.prototypes, one.fixed, one.fixed, one.labels);
  Rows towards =
      palm_kept(palm_assignment(one.fixed, fixed), palm_assignment(one.fixed, one.prototypes), one.labels, classes);
  divide(towards, true);
  double likelihood = 0, contrast = 0;
  for (std::size_t i = 0; i < one.z.size(); ++i) {
    Row logits;
    for (const Row& prototype : fixed) logits.push_back(dot(one.z[i], prototype) / 0.1);
    likelihood += log_sum_exp(logits) - dot(towards[i], logits);
  }
  for (std::size_t k = 0; k < moved.size(); ++k) {
    Row others;
    double pull = 0, same = 0;
    for (std::size_t j = 0; j < moved.size(); ++j) {
      if (j == k) continue;
      const double s = dot(moved[k], moved[j]) / 0.5;
      others.push_back(s);
      if (j % static_cast<std::size_t>(classes) != k % static_cast<std::size_t>(classes)) continue;
      pull += s;
      ++same;
    }
    contrast += log_sum_exp(others) - pull / same;
  }
  return likelihood / static_cast<double>(one.z.size()) + contrast / static_cast<double>(moved.size());
}

}  // namespace nearfar::testing::oracle
