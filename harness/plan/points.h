#pragma once
/// The points of a sweep as lists of what they ask for, everything once. Pure.
#include "plan/plan.h"

#include <cstddef>
#include <vector>

namespace nearfar {

/// The points of the experiment, itself where it sweeps nothing.
std::vector<const Experiment*> experiments_of(const Experiment& experiment);

/// Benchmarks and losses of all points, and a PointPlan for each with their places in the lists. What differs in where
/// it is written alone is the same.
struct PointWishes {
  std::vector<NamedAt> benchmarks;
  std::vector<LossChoice> losses;
  std::vector<PostprocessorChoice> postprocessors;
  std::vector<PointPlan> points;
};
PointWishes asked_of(const Experiment& experiment);

}  // namespace nearfar
