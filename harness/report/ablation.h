#pragma once
/// What each setting of a sweep is worth: one change at a time against a baseline, with intervals; which axis matters
/// most; which differences are real. Pure but for the scores, which a function brings. Safe from any thread with
/// results of its own.
///
/// A panel is one loss, network and postprocessor on one board (select.h); its axes are the factors that vary within
/// it. Factors that always change together are one axis (not where they were drawn at random); the seed is a replicate,
/// never an axis. Where a board has several losses, networks or postprocessors, one panel more compares these, each at
/// the baseline of its own panel. Boards are never mixed: other images, other numbers.
///
/// Differences are those of compare.h, B - A with A the baseline; p is adjusted after Holm over all differences of one
/// metric in the report. Values are fractions. Never part of it, and told in `left_out`: partial results, the control,
/// rows without the metric, cells that failed or are not finished.
#include "metrics/aggregate.h"
#include "metrics/difference.h"
#include "metrics/variance_shares.h"
#include "report/compare.h"
#include "report/results.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace nearfar {

/// What a sweep that changes one thing at a time starts from, for one loss ("" = all).
struct DeclaredBaseline {
  std::string loss = {};
  /// By the names that axes have: "train.lr", "loss.supcon.temperature", "loss", "model", "postprocessor", "recipe".
  std::vector<Factor> values = {};
};

struct AblationRequest {
  /// key=value. A key is an axis or the end of its name ("lr"), "loss", "model" or "postprocessor".
  std::vector<std::string> baseline = {};
  std::vector<DeclaredBaseline> declared = {};  ///< gives way to `baseline`; before what is most common
  bool drawn = false;                           ///< values of axes were drawn at random, so none belongs to another's
  std::vector<std::string> metrics = {};        ///< "near.auroc"; empty: near.auroc and far.auroc
  std::vector<std::string> grid_axes = {};      ///< none, or the two axes of the grids
  ReportFilter filter = {};                     ///< benchmark and protocol
  double alpha = 0.05;                          ///< 1 - alpha is the level of intervals; also the bound of `real`
  int resamples = 400;
  std::uint64_t random = 0;
};

struct AblationMetric {
  std::string group, metric;  ///< "near", "auroc"
  std::string name, title;    ///< "near.auroc", "near AUROC"
  bool lower_is_better = false;
};

struct AblationAxis {
  std::string name = {};                  ///< "train.lr"; of several that change together "train.epochs + train.lr"
  std::vector<std::string> factors = {};  ///< sorted
  std::vector<std::string> values = {};   ///< numbers ascending, texts in natural order; of several factors "5, 0.1"
  std::vector<double> numbers = {};       ///< of `values` where all are numbers, else empty
};

struct AblationRow {
  RowName name = {};
  std::vector<std::size_t> levels = {};           ///< place in `values` of each axis
  std::vector<std::int64_t> seeds = {};           ///< ascending
  std::vector<std::vector<double>> by_seed = {};  ///< of each metric; empty where a seed lacks it
  std::vector<std::optional<MeanStd>> numbers = {};
  std::size_t changes = 0;  ///< axes in which it differs from the baseline
  std::string flags = {};   ///< canonical
};

/// A row that differs from the baseline in one axis.
struct AblationEffect {
  std::size_t metric = 0, axis = 0, row = 0;  ///< places
  std::string from = {}, to = {};
  std::vector<std::string> also_differ = {};  ///< between methods: settings that differ, too: "train.lr 0.1, 0.5"
  std::vector<std::int64_t> seeds = {};       ///< that both have
  double a = 0, b = 0;                        ///< means over these
  Difference difference = {};
  double adjusted_p = 1;
  bool real = false;  ///< adjusted_p < alpha
};

/// Importance of the axes for one metric. All rows of the panel that have the metric.
struct AblationImportance {
  std::size_t metric = 0, rows = 0;
  VarianceShares shares = {};
  /// By axis: the least and the largest share of one seed alone. Empty where the rows have fewer than two seeds in
  /// common.
  std::vector<double> low = {}, high = {};
  std::vector<bool> line = {};  ///< by axis: it entered as a straight line (of the logarithm where `log`)
  std::vector<bool> log = {};
};

/// Every combination of two axes, others at the baseline.
struct AblationGrid {
  std::size_t metric = 0, x = 0, y = 0;            ///< axes
  std::vector<std::optional<MeanStd>> cells = {};  ///< y by y, each with all x
};

struct AblationPanel {
  std::string benchmark = {}, data_hash = {}, protocol = {};
  std::string loss = {}, model = {}, postprocessor = {};  ///< all "" of the panel that compares methods
  bool of_methods = false;
  std::vector<AblationAxis> axes = {};
  std::vector<AblationRow> rows = {};               ///< baseline first, then by the number of changes, axis and value
  std::string baseline_from = {};                   ///< "--baseline", "the sweep", "the most common values"
  std::vector<AblationEffect> effects = {};         ///< by metric, then as rows
  std::vector<AblationImportance> importance = {};  ///< by metric
  std::vector<AblationGrid> grids = {};             ///< at most one a metric
  std::vector<std::string> notes = {};              ///< sentences
};

struct Ablation {
  std::string experiment = {};
  std::vector<AblationMetric> metrics = {};
  std::vector<AblationPanel> panels = {};  ///< by board; methods first, then by loss, network and postprocessor
  std::vector<std::string> left_out = {};  ///< sentences
  double alpha = 0.05;
  int resamples = 0;
};

/// Error(config) for a metric, a key, a value or an axis that is not there, naming what there is; Error(nothing) where
/// nothing is finished, or nothing varies; Error(store) as compare_rows(); what `scores` throws.
Ablation make_ablation(const Results& results, const AblationRequest& request, const ScoresOf& scores);

/// "near.auroc" and its parts. Error(config) naming the choices.
AblationMetric ablation_metric(const std::string& name);

}  // namespace nearfar
