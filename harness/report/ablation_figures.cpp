#include "report/ablation_figures.h"

#include "base/text.h"
#include "plot/charts.h"
#include "report/ablation_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

namespace nearfar {
namespace {

constexpr double kDecade = 10;  // as for importance: numbers that span it are drawn by their logarithms

/// Letters, digits and hyphens alone.
std::string safe_name(const std::string& text) {
  std::string safe;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (plain) {
      safe += c;
    } else if (!safe.empty() && safe.back() != '-') {
      safe += '-';
    }
  }
  while (safe.ends_with('-')) safe.pop_back();
  return safe.substr(0, 60);
}

std::string figure_id(const AblationPanel& panel, std::size_t place, const std::string& what) {
  const std::string method =
      panel.of_methods ? "methods" : fmt::format("{} {} {}", panel.loss, panel.model, panel.postprocessor);
  // The place keeps apart what safe_name() makes equal.
  return fmt::format("{:02}-{}-{}", place + 1,
                     safe_name(fmt::format("{} {} {}", panel.benchmark, panel.protocol, method)), safe_name(what));
}

std::string whisker_note(const AblationPanel& panel) {
  const bool several = std::ranges::any_of(panel.rows, [](const AblationRow& row) { return row.seeds.size() > 1; });
  return several ? "± one population standard deviation over seeds." : "One seed: nothing is known of other seeds.";
}

plot::Figure tornado(const Ablation& ablation, std::size_t place, std::size_t metric) {
  const AblationPanel& panel = ablation.panels[place];
  const AblationMetric& shown = ablation.metrics[metric];
  std::vector<const AblationEffect*> effects;
  for (const AblationEffect& effect : panel.effects) {
    if (effect.metric == metric) effects.push_back(&effect);
  }
  std::ranges::stable_sort(effects, std::greater<>(),
                           [](const AblationEffect* effect) { return std::abs(effect->difference.estimate); });
  plot::IntervalChart chart{.bars = true};
  std::vector<std::string> words;
  for (const AblationEffect* effect : effects) {
    const Difference& d = effect->difference;
    chart.rows.push_back({.label = change_text(panel, *effect),
                          .estimate = 100 * d.estimate,
                          .interval = plot::Interval{100 * d.low, 100 * d.high}});
    words.push_back(fmt::format("{}: {} {}", change_text(panel, *effect), points_text(d.estimate), interval_text(d)));
  }
  chart.caption = {.id = figure_id(panel, place, shown.name + " changes"),
                   .title = "What each change does to " + shown.title,
                   .description = "Percent points against the baseline, largest first: " + join(words, "; ") + ".",
                   .notes = {fmt::format("{:.3g} % intervals over seeds and images, not adjusted for their number.",
                                         100 * (1 - ablation.alpha))}};
  chart.x.label =
      fmt::format("{}, points against the baseline{}", shown.title, shown.lower_is_better ? " (less is better)" : "");
  return plot::interval_chart(chart);
}

/// Rows that differ from the baseline in this axis alone, with the baseline, by value.
std::vector<const AblationRow*> along(const AblationPanel& panel, std::size_t axis) {
  const AblationRow& base = panel.rows.front();
  std::vector<const AblationRow*> rows;
  for (const AblationRow& row : panel.rows) {
    if (row.changes == 0 || (row.changes == 1 && row.levels[axis] != base.levels[axis])) rows.push_back(&row);
  }
  std::ranges::sort(rows, {}, [&](const AblationRow* row) { return row->levels[axis]; });
  return rows;
}

plot::Figure sensitivity(const Ablation& ablation, std::size_t place, std::size_t axis,
                         const std::vector<const AblationRow*>& rows) {
  const AblationPanel& panel = ablation.panels[place];
  const AblationAxis& swept = panel.axes[axis];
  plot::LineChart chart;
  std::vector<std::string> words;
  for (std::size_t metric = 0; metric < ablation.metrics.size(); ++metric) {
    plot::LineSeries& series = chart.series.emplace_back();
    series.label = ablation.metrics[metric].title;
    series.markers = true;
    std::vector<std::string> values;
    for (const AblationRow* row : rows) {
      const auto& number = row->numbers[metric];
      if (!number) continue;
      const double mean = 100 * number->mean, std = 100 * number->std;
      plot::LinePoint point{.x = swept.numbers[row->levels[axis]], .y = mean};
      if (number->n > 1) point.band = plot::Interval{mean - std, mean + std};
      series.points.push_back(point);
      values.push_back(fmt::format("{} at {}", number_text_of(number), swept.values[row->levels[axis]]));
    }
    words.push_back(fmt::format("{} {}", series.label, join(values, ", ")));
  }
  const bool log = swept.numbers.front() > 0 && swept.numbers.back() >= kDecade * swept.numbers.front();
  chart.x = {.label = swept.name, .scale = log ? plot::Scale::logarithmic : plot::Scale::linear};
  chart.y = {.label = "percent"};
  chart.caption = {.id = figure_id(panel, place, swept.name),
                   .title = "Along " + swept.name,
                   .description = fmt::format("Others at the baseline, which has {}. {}.",
                                              swept.values[panel.rows.front().levels[axis]], join(words, "; ")),
                   .notes = {whisker_note(panel)}};
  return plot::line_chart(chart);
}

plot::Figure heatmap(const Ablation& ablation, std::size_t place, const AblationGrid& grid) {
  const AblationPanel& panel = ablation.panels[place];
  const AblationAxis &x = panel.axes[grid.x], &y = panel.axes[grid.y];
  const AblationMetric& metric = ablation.metrics[grid.metric];
  plot::HeatmapChart chart{.rows = y.values, .columns = x.values, .row_label = y.name, .column_label = x.name};
  std::vector<std::string> words;
  double widest = 0;
  for (std::size_t row = 0; row < y.values.size(); ++row) {
    std::vector<std::optional<double>>& values = chart.values.emplace_back();
    for (std::size_t column = 0; column < x.values.size(); ++column) {
      const auto& cell = grid.cells[row * x.values.size() + column];
      values.push_back(cell ? std::optional(100 * cell->mean) : std::nullopt);
      words.push_back(
          fmt::format("{} {}, {} {}: {}", y.name, y.values[row], x.name, x.values[column], number_text_of(cell)));
      if (cell) widest = std::max(widest, 100 * cell->std);
    }
  }
  chart.caption = {
      .id = figure_id(panel, place, metric.name + " grid"),
      .title = fmt::format("{} by {} and {}", metric.title, y.name, x.name),
      .description = join(words, "; ") + ".",
      .notes = {widest > 0 ? fmt::format("Means over seeds; their deviation is at most {:.2f} points.", widest)
                           : whisker_note(panel)}};
  return plot::heatmap_chart(chart);
}

plot::Figure importance_figure(const Ablation& ablation, std::size_t place, const AblationImportance& importance) {
  const AblationPanel& panel = ablation.panels[place];
  const VarianceShares& shares = importance.shares;
  std::vector<std::size_t> order(panel.axes.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::stable_sort(order, std::greater<>(), [&](std::size_t axis) { return shares.shares[axis]; });
  plot::IntervalChart chart{.bars = true, .decimals = 0};
  for (const std::size_t axis : order) {
    plot::IntervalRow& row = chart.rows.emplace_back();
    row.label = panel.axes[axis].name;
    row.estimate = 100 * shares.shares[axis];
    if (!importance.low.empty()) row.interval = plot::Interval{100 * importance.low[axis], 100 * importance.high[axis]};
  }
  if (shares.has_products) chart.rows.push_back({.label = "interactions", .estimate = 100 * shares.interaction});
  if (shares.has_products) chart.rows.push_back({.label = "the rest", .estimate = 100 * shares.residual});
  if (std::abs(shares.shared) >= 0.005)
    chart.rows.push_back({.label = "not told apart", .estimate = 100 * shares.shared});
  chart.x.label = "percent of the sum of squares";
  const AblationMetric& metric = ablation.metrics[importance.metric];
  chart.caption = {.id = figure_id(panel, place, metric.name + " importance"),
                   .title = "Which axis matters for " + metric.title,
                   .description = importance_text(ablation, panel, importance) + ".",
                   .notes = {importance.low.empty() ? "One seed: nothing is known of other seeds."
                                                    : "Whiskers: the least and the largest share of one seed alone."}};
  return plot::interval_chart(chart);
}

}  // namespace

std::vector<plot::Figure> ablation_figures(const Ablation& ablation, std::size_t place) {
  const AblationPanel& panel = ablation.panels.at(place);
  std::vector<plot::Figure> figures;
  for (std::size_t metric = 0; metric < ablation.metrics.size(); ++metric) {
    if (std::ranges::find(panel.effects, metric, &AblationEffect::metric) != panel.effects.end())
      figures.push_back(tornado(ablation, place, metric));
  }
  for (std::size_t axis = 0; axis < panel.axes.size(); ++axis) {
    const std::vector<const AblationRow*> rows = along(panel, axis);
    if (!panel.axes[axis].numbers.empty() && rows.size() > 1)
      figures.push_back(sensitivity(ablation, place, axis, rows));
  }
  for (const AblationGrid& grid : panel.grids) figures.push_back(heatmap(ablation, place, grid));
  for (const AblationImportance& one : panel.importance) figures.push_back(importance_figure(ablation, place, one));
  return figures;
}

}  // namespace nearfar
