#include "metrics/variance_shares.h"

#include <nearfar/error.h>

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

namespace nearfar {
namespace {

using Column = std::vector<double>;

constexpr double kSameSpan = 1e-9;  // of a column's length: what is left of it lies in the span of those before

double dot(const Column& a, const Column& b) { return std::inner_product(a.begin(), a.end(), b.begin(), 0.0); }

double mean_of(const Column& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

/// Least squares by Gram and Schmidt, column after column, twice over each: designs have a few dozen columns of zeros
/// and ones, for which a library of linear algebra would be a dependency without a gain. Columns in the span of those
/// before (the dummies of an axis with the intercept, combinations that no row has) drop out.
class Fit {
 public:
  explicit Fit(const Column& values) : left_(values) { add(Column(values.size(), 1.0)); }

  void add(Column column) {
    const double length = std::sqrt(dot(column, column));
    if (length == 0) return;
    for (int pass = 0; pass < 2; ++pass) {
      for (const Column& one : basis_) subtract(column, one, dot(column, one));
    }
    const double rest = std::sqrt(dot(column, column));
    if (rest <= kSameSpan * length) return;
    for (double& x : column) x /= rest;
    subtract(left_, column, dot(left_, column));
    basis_.push_back(std::move(column));
  }

  std::size_t dimensions() const { return basis_.size(); }
  /// Residual sum of squares. Where the design has as many dimensions as there are rows, nothing is left.
  double rss() const { return basis_.size() >= left_.size() ? 0 : dot(left_, left_); }

 private:
  static void subtract(Column& from, const Column& unit, double weight) {
    for (std::size_t i = 0; i < from.size(); ++i) from[i] -= weight * unit[i];
  }
  Column left_;
  std::vector<Column> basis_;  // orthonormal
};

/// One column for every level; the first is told by the others and the intercept.
std::vector<Column> columns_of(const VarianceAxis& axis) {
  if (!axis.numbers.empty()) {
    Column line = axis.numbers;
    const double mean = mean_of(line);
    for (double& x : line) x -= mean;
    return {line};
  }
  const std::size_t count = 1 + *std::max_element(axis.levels.begin(), axis.levels.end());
  std::vector<Column> columns(count - 1, Column(axis.levels.size(), 0.0));
  for (std::size_t row = 0; row < axis.levels.size(); ++row) {
    if (axis.levels[row] > 0) columns[axis.levels[row] - 1][row] = 1;
  }
  return columns;
}

void check(std::span<const VarianceAxis> axes, std::span<const std::vector<double>> by_seed) {
  if (by_seed.size() < 2)
    throw Error(ErrorKind::data, fmt::format("{} rows have no variance to share", by_seed.size()));
  for (const std::vector<double>& row : by_seed) {
    if (row.empty()) throw Error(ErrorKind::data, "a row has no values");
    for (const double value : row) {
      if (!std::isfinite(value)) throw Error(ErrorKind::data, fmt::format("a value is {}", value));
    }
  }
  for (const VarianceAxis& axis : axes) {
    const std::size_t count = axis.numbers.empty() ? axis.levels.size() : axis.numbers.size();
    if (count != by_seed.size())
      throw Error(ErrorKind::data, fmt::format("an axis has {} values for {} rows", count, by_seed.size()));
  }
}

bool is_balanced(std::span<const VarianceAxis> axes, std::size_t rows) {
  std::map<std::vector<std::size_t>, std::size_t> counts;
  double combinations = 1;
  for (const VarianceAxis& axis : axes) {
    if (!axis.numbers.empty()) return false;
    std::vector<std::size_t> levels = axis.levels;
    std::sort(levels.begin(), levels.end());
    combinations *= static_cast<double>(std::unique(levels.begin(), levels.end()) - levels.begin());
  }
  for (std::size_t row = 0; row < rows; ++row) {
    std::vector<std::size_t> levels;
    for (const VarianceAxis& axis : axes) levels.push_back(axis.levels[row]);
    ++counts[levels];
  }
  return static_cast<double>(counts.size()) == combinations &&
         std::all_of(counts.begin(), counts.end(),
                     [&](const auto& entry) { return entry.second == counts.begin()->second; });
}

double seeds_share(std::span<const std::vector<double>> by_seed) {
  double sum = 0, count = 0, within = 0, between = 0;
  for (const std::vector<double>& row : by_seed) {
    sum += std::accumulate(row.begin(), row.end(), 0.0);
    count += static_cast<double>(row.size());
  }
  for (const std::vector<double>& row : by_seed) {
    const double mean = mean_of(row), apart = mean - sum / count;
    for (const double value : row) within += (value - mean) * (value - mean);
    between += static_cast<double>(row.size()) * apart * apart;
  }
  return within + between > 0 ? within / (within + between) : 0;
}

}  // namespace

VarianceShares variance_shares(std::span<const VarianceAxis> axes, std::span<const std::vector<double>> by_seed) {
  check(axes, by_seed);
  Column means;
  for (const std::vector<double>& row : by_seed) means.push_back(mean_of(row));
  VarianceShares result{.shares = std::vector<double>(axes.size(), 0.0),
                        .seeds = seeds_share(by_seed),
                        .total = Fit(means).rss(),
                        .balanced = is_balanced(axes, by_seed.size())};
  // Means that differ by rounding alone.
  if (result.total <= kSameSpan * kSameSpan * dot(means, means)) result.total = 0;
  if (result.total == 0) return result;

  std::vector<std::vector<Column>> columns;
  for (const VarianceAxis& axis : axes) columns.push_back(columns_of(axis));
  const auto fit_without = [&](std::size_t left_out) {
    Fit fit(means);
    for (std::size_t axis = 0; axis < axes.size(); ++axis) {
      if (axis == left_out) continue;
      for (const Column& column : columns[axis]) fit.add(column);
    }
    return fit;
  };
  Fit all = fit_without(axes.size());
  const double main = all.rss();
  const std::size_t dimensions = all.dimensions();
  double told = 0;
  for (std::size_t axis = 0; axis < axes.size(); ++axis) {
    result.shares[axis] = (fit_without(axis).rss() - main) / result.total;
    told += result.shares[axis];
  }
  for (std::size_t a = 0; a < axes.size(); ++a) {
    for (std::size_t b = a + 1; b < axes.size(); ++b) {
      for (const Column& one : columns[a]) {
        for (const Column& other : columns[b]) {
          Column product(one.size());
          std::transform(one.begin(), one.end(), other.begin(), product.begin(), std::multiplies<>());
          all.add(std::move(product));
        }
      }
    }
  }
  result.has_products = all.dimensions() > dimensions;
  result.residual = all.rss() / result.total;
  result.interaction = main / result.total - result.residual;
  result.shared = 1 - told - result.interaction - result.residual;
  return result;
}

}  // namespace nearfar
