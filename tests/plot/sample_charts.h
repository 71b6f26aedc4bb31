#pragma once
/// One chart of each kind with easy numbers, for goldens and for looking at.
#include "plot/charts.h"

#include <cmath>
#include <string>
#include <vector>

namespace nearfar::plot::testing {

/// A smooth curve of TPR over FPR: the larger `power`, the better.
inline LineSeries roc(const std::string& label, double power) {
  LineSeries series{.label = label};
  for (int i = 0; i <= 400; ++i) {
    const double fpr = std::pow(i / 400.0, 3);
    series.points.push_back({fpr, std::pow(fpr, 1 / power)});
  }
  return series;
}

inline LineSeries training(const std::string& label, double rate) {
  LineSeries series{.label = label, .markers = true};
  for (int epoch = 1; epoch <= 12; ++epoch) {
    const double loss = 2.3 * std::exp(-rate * epoch) + 0.1;
    series.points.push_back({static_cast<double>(epoch), loss, Interval{loss * 0.9, loss * 1.1}});
  }
  return series;
}

/// The same values every time: equally spaced quantiles of a logistic distribution.
inline std::vector<double> logistic(double middle, double width) {
  std::vector<double> values;
  for (int i = 1; i < 2000; ++i) values.push_back(middle + width * std::log(i / (2000.0 - i)));
  return values;
}

inline std::vector<ScatterPoint> methods(const std::string& more = "") {
  std::vector<ScatterPoint> points;
  const char* const names[] = {"msp", "knn", "mds", "ebo", "vim", "odin"};
  for (int i = 0; i < 6; ++i) {
    const double x = 80 + 2.3 * i - (i == 2 ? 6 : 0), y = 84 + 2.1 * i;
    points.push_back({.label = names[i] + more,
                      .group = (i % 2 == 0 ? "ce" : "supcon") + more,
                      .x = x,
                      .y = y,
                      .x_whisker = Interval{x - 0.8, x + 0.8},
                      .y_whisker = Interval{y - 0.5 * i, y + 0.5 * i}});
  }
  return points;
}

/// All texts of all charts are `name`.
inline std::vector<Figure> figures_named(const std::string& name) {
  return {line_chart({.caption = {"line", name, name, {name}},
                      .x = {name},
                      .y = {name},
                      .series = {{name, {{0, 1}, {1, 2}}, true}}}),
          histogram_chart({.caption = {"histogram", name}, .x_label = name, .distributions = {{name, {1, 2, 3}}}}),
          scatter_chart({.caption = {"scatter", name}, .x = {name}, .y = {name}, .points = methods(name)}),
          heatmap_chart({.caption = {"heatmap", name},
                         .rows = {name},
                         .columns = {name},
                         .values = {{1.0}},
                         .row_label = name,
                         .column_label = name}),
          interval_chart(
              {.caption = {"interval", name}, .x = {name}, .rows = {{.label = name, .group = name, .estimate = 1}}}),
          critical_difference_chart(
              {.caption = {"critical_difference", name}, .methods = {{name, 1}, {name, 2}}, .cliques = {{0, 1}}}),
          line_chart({.caption = {"empty", name}})};
}

inline std::vector<Figure> sample_figures() {
  std::vector<Figure> figures;
  figures.push_back(line_chart({.caption = {"line_roc", "ROC on tiny, protocol ood"},
                                .x = {"false positive rate", Scale::linear, 0.0, 1.0},
                                .y = {"true positive rate", Scale::linear, 0.0, 1.0},
                                .series = {roc("near/cousins", 3), roc("far/digits", 9), roc("far/letters", 20)},
                                .diagonal = true}));
  figures.push_back(line_chart({.caption = {"line_logarithmic", "ROC where few are wrong"},
                                .x = {"false positive rate", Scale::logarithmic, 1e-3, 1.0},
                                .y = {"true positive rate", Scale::linear, 0.0, 1.0},
                                .series = {roc("near/cousins", 3), roc("far/digits", 9)},
                                .diagonal = true}));
  figures.push_back(line_chart({.caption = {"line_band", "Training", "", {"bands: lowest to highest of 3 seeds"}},
                                .x = {"epoch"},
                                .y = {"loss"},
                                .series = {training("ce", 0.3), training("supcon", 0.15)}}));
  figures.push_back(histogram_chart(
      {.caption = {"histogram", "Scores of knn on ce/resnet8"},
       .x_label = "score (higher = more out-of-distribution)",
       .distributions = {{"in-distribution", logistic(0, 1)}, {"near", logistic(2, 1.2)}, {"far", logistic(6, 1)}}}));
  figures.push_back(scatter_chart({.caption = {"scatter", "Near against far"},
                                   .x = {"near AUROC %"},
                                   .y = {"far AUROC %"},
                                   .points = methods(),
                                   .pareto = Pareto::high_x_high_y,
                                   .diagonal = true}));
  figures.push_back(heatmap_chart({.caption = {"heatmap", "AUROC % of each data set"},
                                   .rows = {"ce msp", "ce knn", "supcon knn"},
                                   .columns = {"cousins", "digits", "letters"},
                                   .values = {{81.2, 90.4, 92.0}, {84.0, {}, 93.5}, {88.8, 96.1, 97.3}},
                                   .row_label = "method",
                                   .column_label = "data set"}));
  figures.push_back(heatmap_chart(
      {.caption = {"heatmap_diverging", "Difference from the baseline, points"},
       .rows = {"T = 0.1", "T = 0.5", "T = 1"},
       .columns = {"a long name of a data set that must be upright", "lr = 0.01", "lr = 0.1", "lr = 0.5", "lr = 1"},
       .values = {{-3.2, 0.0, 1.5, 2.0, 0.3}, {-1.0, 0.4, 2.5, 3.2, 0.1}, {-0.2, 1.0, 1.1, -2.2, -3.0}},
       .decimals = 1,
       .colours = Colours::diverging}));
  const std::vector<IntervalRow> effects{
      {.label = "temperature 0.1 → 0.5", .group = "supcon", .estimate = 2.4, .interval = Interval{1.1, 3.7}},
      {.label = "learning rate 0.1 → 0.5", .group = "supcon", .estimate = -1.5, .interval = Interval{-2.6, -0.4}},
      {.label = "k 50 → 20", .group = "knn", .estimate = 0.2, .interval = Interval{-0.3, 0.7}},
      {.label = "one seed", .group = "knn", .estimate = -0.6}};
  figures.push_back(interval_chart({.caption = {"interval_forest", "What each choice does"},
                                    .x = {"difference of near AUROC, points"},
                                    .rows = effects}));
  figures.push_back(interval_chart({.caption = {"interval_tornado", "What each choice does"},
                                    .x = {"difference of near AUROC, points"},
                                    .rows = effects,
                                    .bars = true}));
  figures.push_back(critical_difference_chart({.caption = {"critical_difference", "Mean ranks over 6 data sets"},
                                               .methods = {{"ce msp", 4.5},
                                                           {"ce knn", 2.83},
                                                           {"supcon knn", 1.33},
                                                           {"supcon mds", 3.17},
                                                           {"ce mds", 4.0},
                                                           {"random", 6}},
                                               .cliques = {{1, 2}, {1, 3, 4}, {0, 3, 4}}}));
  figures.push_back(line_chart({.caption = {"empty", "Training of models made elsewhere"}}));
  return figures;
}

}  // namespace nearfar::plot::testing
