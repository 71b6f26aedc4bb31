#include "report/ablation_measure.h"

#include "base/text.h"

#include <algorithm>
#include <cmath>
#include <set>

namespace nearfar {
namespace {

constexpr std::size_t kFewestRows = 3;
constexpr double kDecade = 10;  // numbers that span it, all above 0, are looked at by their logarithms

std::optional<double> mean_of_seed(const SelectedSeed& seed, const AblationMetric& metric) {
  double sum = 0;
  std::size_t count = 0;
  for (const ResultValue& value : seed.values) {
    if (value.group != metric.group || value.metric != metric.metric) continue;
    sum += value.value;
    ++count;
  }
  if (count == 0) return std::nullopt;
  return sum / static_cast<double>(count);
}

bool is_logarithmic(const std::vector<double>& ascending) {
  return ascending.front() > 0 && ascending.back() >= kDecade * ascending.front();
}

/// Of numbers that are nearly all different, as random draws are, levels would explain everything.
bool is_line(const AblationAxis& axis, std::size_t rows) {
  return axis.numbers.size() > 2 && 2 * axis.numbers.size() > rows && rows > 2 * kFewestRows;
}

std::optional<double> mean_in(const std::optional<MeanStd>& number) {
  return number ? std::optional(number->mean) : std::nullopt;
}

/// Cells of two axes, others at the baseline.
std::vector<std::optional<MeanStd>> cells_of(const AblationPanel& panel, std::size_t metric, std::size_t x,
                                             std::size_t y) {
  const std::size_t width = panel.axes[x].values.size();
  std::vector<std::optional<MeanStd>> cells(width * panel.axes[y].values.size());
  const std::vector<std::size_t>& base = panel.rows.front().levels;
  for (const AblationRow& row : panel.rows) {
    bool on_grid = true;
    for (std::size_t axis = 0; axis < base.size(); ++axis)
      on_grid = on_grid && (axis == x || axis == y || row.levels[axis] == base[axis]);
    if (on_grid) cells[row.levels[y] * width + row.levels[x]] = row.numbers[metric];
  }
  return cells;
}

/// Largest minus smallest mean.
double spread(const std::vector<std::optional<MeanStd>>& cells) {
  std::vector<double> means;
  for (const auto& cell : cells) {
    if (const auto mean = mean_in(cell)) means.push_back(*mean);
  }
  return means.empty() ? 0 : *std::ranges::max_element(means) - *std::ranges::min_element(means);
}

/// Shares of each seed that all rows have, as if it were the only one.
void add_single_seeds(AblationImportance& importance, const std::vector<const AblationRow*>& rows,
                      const std::vector<VarianceAxis>& axes) {
  std::size_t seeds = 0;
  for (const std::int64_t seed : rows.front()->seeds) {
    std::vector<std::vector<double>> values;
    for (const AblationRow* row : rows) {
      const auto place = std::ranges::find(row->seeds, seed);
      if (place == row->seeds.end()) break;
      values.push_back({row->by_seed[importance.metric][static_cast<std::size_t>(place - row->seeds.begin())]});
    }
    if (values.size() < rows.size()) continue;
    const VarianceShares one = variance_shares(axes, values);
    if (seeds++ == 0) {
      importance.low = importance.high = one.shares;
      continue;
    }
    for (std::size_t axis = 0; axis < axes.size(); ++axis) {
      importance.low[axis] = std::min(importance.low[axis], one.shares[axis]);
      importance.high[axis] = std::max(importance.high[axis], one.shares[axis]);
    }
  }
  if (seeds < 2) importance.low = importance.high = {};
}

}  // namespace

std::optional<std::vector<double>> by_seed(const SelectedRow& row, const AblationMetric& metric) {
  std::vector<double> values;
  for (const SelectedSeed& seed : row.seeds) {
    const std::optional<double> mean = mean_of_seed(seed, metric);
    if (!mean) return std::nullopt;
    values.push_back(*mean);
  }
  return values;
}

std::vector<AblationRow> measure_rows(const Panel& panel, const std::vector<AblationMetric>& metrics) {
  std::vector<AblationRow> rows;
  for (const PanelRow& from : panel.rows) {
    AblationRow& row =
        rows.emplace_back(AblationRow{.name = from.row->name, .levels = from.levels, .changes = from.changes});
    std::set<std::string> flags;
    for (const SelectedSeed& seed : from.row->seeds) {
      row.seeds.push_back(seed.subject->seed);
      for (const std::string& flag : split(seed.subject->flags, ';')) flags.insert(flag);
    }
    flags.erase("");
    row.flags = join(std::vector<std::string>(flags.begin(), flags.end()), ";");
    for (const AblationMetric& metric : metrics) {
      row.by_seed.push_back(by_seed(*from.row, metric).value_or(std::vector<double>()));
      row.numbers.push_back(row.by_seed.back().empty() ? std::nullopt : std::optional(mean_std(row.by_seed.back())));
    }
  }
  return rows;
}

std::optional<AblationImportance> measure_importance(const AblationPanel& panel, std::size_t metric) {
  std::vector<const AblationRow*> rows;
  for (const AblationRow& row : panel.rows) {
    if (!row.by_seed[metric].empty()) rows.push_back(&row);
  }
  if (rows.size() < kFewestRows || panel.axes.size() < 2) return std::nullopt;
  AblationImportance importance{.metric = metric, .rows = rows.size()};
  std::vector<VarianceAxis> axes;
  for (std::size_t axis = 0; axis < panel.axes.size(); ++axis) {
    const AblationAxis& named = panel.axes[axis];
    const bool line = is_line(named, rows.size()), log = line && is_logarithmic(named.numbers);
    VarianceAxis& added = axes.emplace_back();
    for (const AblationRow* row : rows) {
      const std::size_t level = row->levels[axis];
      if (line) {
        added.numbers.push_back(log ? std::log(named.numbers[level]) : named.numbers[level]);
      } else {
        added.levels.push_back(level);
      }
    }
    importance.line.push_back(line);
    importance.log.push_back(log);
  }
  std::vector<std::vector<double>> values;
  for (const AblationRow* row : rows) values.push_back(row->by_seed[metric]);
  importance.shares = variance_shares(axes, values);
  add_single_seeds(importance, rows, axes);
  return importance;
}

std::optional<AblationGrid> measure_grid(const AblationPanel& panel, std::size_t metric,
                                         const std::vector<std::string>& chosen) {
  std::optional<AblationGrid> best;
  double widest = -1;
  for (std::size_t x = 0; x < panel.axes.size(); ++x) {
    for (std::size_t y = 0; y < panel.axes.size(); ++y) {
      const bool asked = chosen.size() == 2 && panel.axes[x].name == chosen[0] && panel.axes[y].name == chosen[1];
      if (x == y || (chosen.empty() ? y < x : !asked)) continue;
      AblationGrid grid{.metric = metric, .x = x, .y = y, .cells = cells_of(panel, metric, x, y)};
      const bool whole = std::ranges::all_of(grid.cells, [](const auto& cell) { return cell.has_value(); });
      if ((whole || asked) && spread(grid.cells) > widest) {
        widest = spread(grid.cells);
        best = std::move(grid);
      }
    }
  }
  return best;
}

}  // namespace nearfar
