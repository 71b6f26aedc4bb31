#pragma once
/// Figures of scores of one or more results, and of trainings. Pure functions.
#include "plot/charts.h"
#include "store/types.h"

#include <span>
#include <string>
#include <utility>
#include <vector>

namespace nearfar {

/// One side against the other; both are only looked at while the figure is made.
struct RocInput {
  std::string label = {};
  std::span<const double> id = {}, ood = {};
};
/// The AUROC stands before each label. Error(data) for scores that cannot be ranked.
plot::Figure roc_figure(plot::Caption caption, const std::vector<RocInput>& curves, bool log_fpr);

/// In-distribution, near, far: those that have values.
plot::Figure scores_figure(plot::Caption caption,
                           const std::vector<std::pair<std::string, std::vector<double>>>& sides);

struct TrainingInput {
  std::string label = {};
  std::vector<std::vector<CurvePoint>> seeds = {};
};
/// The mean of the curve `name` by epoch over the seeds that have that epoch, the band from the lowest to the highest
/// where there are several. `percent`: values are fractions.
plot::Figure training_figure(plot::Caption caption, const std::vector<TrainingInput>& trainings,
                             const std::string& name, bool percent);

}  // namespace nearfar
