#include "report/cell.h"

#include "base/set_name.h"
#include "report/figures_scores.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

namespace nearfar {
namespace {

/// Whether the set is of this group.
bool is_of(std::string_view set, std::string_view group) {
  return set.starts_with(group) && set.size() > group.size() && set[group.size()] == '/';
}

void add(std::vector<ConfusedImage>& images, const std::string& set, const std::vector<double>& scores) {
  for (std::size_t i = 0; i < scores.size(); ++i) {
    if (!std::isnan(scores[i]))
      images.push_back({.set = set, .position = static_cast<std::int64_t>(i), .score = scores[i]});
  }
}

/// The first `count` by `before`, the rest forgotten.
template <class Before>
void keep_first(std::vector<ConfusedImage>& images, std::size_t count, Before before) {
  std::ranges::stable_sort(images, before, &ConfusedImage::score);
  images.resize(std::min(images.size(), count));
}

std::vector<double> all_of(const Scores& scores, std::string_view group) {
  std::vector<double> values;
  for (const auto& [set, of_set] : scores) {
    if (is_of(set, group)) values.insert(values.end(), of_set.begin(), of_set.end());
  }
  return values;
}

void add_training(std::vector<plot::Figure>& figures, const CellStatus& cell, const std::vector<CurvePoint>& curves) {
  const auto has = [&](std::string_view name) {
    return std::ranges::find(curves, name, &CurvePoint::name) != curves.end();
  };
  const std::vector<TrainingInput> one{{.label = "this model", .seeds = {curves}}};
  if (has("train_loss"))
    figures.push_back(
        training_figure({.id = "training-loss", .title = "Training loss: " + cell.label}, one, "train_loss", false));
  if (has("val_accuracy"))
    figures.push_back(training_figure({.id = "training-accuracy", .title = "Validation accuracy: " + cell.label}, one,
                                      "val_accuracy", true));
}

}  // namespace

MostConfused most_confused(const Scores& scores, std::size_t count) {
  MostConfused confused;
  for (const auto& [set, values] : scores) {
    if (set == sets::kTest) add(confused.in, set, values);
    if (is_of(set, groups::kNear) || is_of(set, groups::kFar)) add(confused.out, set, values);
  }
  keep_first(confused.in, count, std::ranges::greater());
  keep_first(confused.out, count, std::ranges::less());
  return confused;
}

std::vector<plot::Figure> cell_figures(const CellStatus& cell, const Scores& scores,
                                       const std::vector<CurvePoint>& curves, bool log_fpr) {
  std::vector<plot::Figure> figures;
  const auto test = scores.find(sets::kTest);
  std::vector<RocInput> rocs;
  for (const auto& [set, values] : scores) {
    const bool drawn = is_of(set, groups::kNear) || is_of(set, groups::kFar);
    if (drawn && test != scores.end() && !values.empty() && !test->second.empty())
      rocs.push_back({set, test->second, values});
  }
  if (!rocs.empty()) {
    figures.push_back(roc_figure({.id = "roc", .title = "ROC: " + cell.label}, rocs, log_fpr));
    figures.push_back(
        scores_figure({.id = "scores", .title = "Scores: " + cell.label}, {{"in-distribution", test->second},
                                                                           {"near", all_of(scores, groups::kNear)},
                                                                           {"far", all_of(scores, groups::kFar)}}));
  }
  add_training(figures, cell, curves);
  return figures;
}

}  // namespace nearfar
