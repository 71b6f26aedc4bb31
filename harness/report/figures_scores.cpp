#include "report/figures_scores.h"

#include "metrics/ranking.h"
#include "metrics/roc_curve.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <numeric>

namespace nearfar {
namespace {

/// By epoch, counted from 1 as `show` does.
std::map<std::int64_t, std::vector<double>> by_epoch(const TrainingInput& training, const std::string& name) {
  std::map<std::int64_t, std::vector<double>> values;
  for (const std::vector<CurvePoint>& seed : training.seeds) {
    for (const CurvePoint& point : seed) {
      if (point.name == name) values[point.step + 1].push_back(point.value);
    }
  }
  return values;
}

}  // namespace

plot::Figure roc_figure(plot::Caption caption, const std::vector<RocInput>& curves, bool log_fpr) {
  std::vector<plot::LineSeries> series;
  std::string description;
  double fewest = 1;
  for (const RocInput& input : curves) {
    const OodMetrics metrics = ood_metrics(input.id, input.ood);
    plot::LineSeries& one = series.emplace_back();
    one.label = fmt::format("{:.2f} {}", 100 * metrics.auroc, input.label);
    for (const RocPoint& point : roc_curve(input.id, input.ood))
      one.points.push_back({.x = 100 * point.fpr, .y = 100 * point.tpr});
    fewest = std::min(fewest, 1 / static_cast<double>(std::max<std::size_t>(input.id.size(), 1)));
    description += fmt::format("{}{}: AUROC {:.2f} %, FPR@95 {:.2f} %.", description.empty() ? "" : " ", input.label,
                               100 * metrics.auroc, 100 * metrics.fpr95);
  }
  if (caption.description.empty()) caption.description = "ROC curves. " + description;
  caption.notes.emplace_back("the number before a name is its AUROC in percent; dashed: what chance gives");
  const plot::Axis rates{.label = "true positive rate % (OOD caught)", .low = 0.0, .high = 100.0};
  plot::Axis x{.label = "false positive rate % (in-distribution flagged)", .low = 0.0, .high = 100.0};
  if (log_fpr) {  // the first image flagged is at one over their number: nothing is to be seen below
    x.scale = plot::Scale::logarithmic;
    x.low = 100 * std::max(fewest, 1e-6);
  }
  return plot::line_chart(
      {.caption = std::move(caption), .x = x, .y = rates, .series = std::move(series), .diagonal = true});
}

plot::Figure scores_figure(plot::Caption caption,
                           const std::vector<std::pair<std::string, std::vector<double>>>& sides) {
  plot::HistogramChart chart{.caption = std::move(caption), .x_label = "score (higher = more out-of-distribution)"};
  for (const auto& [label, values] : sides) {
    if (!values.empty()) chart.distributions.push_back({label, values});
  }
  return plot::histogram_chart(chart);
}

plot::Figure training_figure(plot::Caption caption, const std::vector<TrainingInput>& trainings,
                             const std::string& name, bool percent) {
  const double factor = percent ? 100 : 1;
  plot::LineChart chart{
      .caption = std::move(caption), .x = {.label = "epoch"}, .y = {.label = percent ? name + " %" : name}};
  bool bands = false;
  for (const TrainingInput& training : trainings) {
    plot::LineSeries series{.label = training.label};
    for (const auto& [epoch, values] : by_epoch(training, name)) {
      const double mean = std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
      const auto [low, high] = std::ranges::minmax(values);
      plot::LinePoint point{.x = static_cast<double>(epoch), .y = factor * mean};
      if (training.seeds.size() > 1) point.band = plot::Interval{factor * low, factor * high};
      bands |= training.seeds.size() > 1;
      series.points.push_back(point);
    }
    if (series.points.empty()) continue;
    series.markers = series.points.size() <= 30;
    chart.series.push_back(std::move(series));
  }
  if (bands) chart.caption.notes.emplace_back("lines: mean over seeds; bands: lowest to highest seed");
  return plot::line_chart(chart);
}

}  // namespace nearfar
