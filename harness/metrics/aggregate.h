#pragma once
/// Averages over data sets and over seeds, as OpenOOD v1.5 makes them: first the sets of a group, per seed; then the
/// seeds. Pure functions, safe from any thread.
#include "metrics/ranking.h"

#include <cstddef>
#include <span>

namespace nearfar {

struct MeanStd {
  double mean = 0;
  double std = 0;  ///< population standard deviation (divides by n, numpy's default): 0 for a single value
  std::size_t n = 0;
};

/// Throws Error(data) if there are no values.
MeanStd mean_std(std::span<const double> values);

/// The near or the far row: each rate is the plain mean over the group's sets, however many images a set has (scores
/// are not pooled). n_ood is the sum over the sets, n_id is what they share. Throws Error(data) if there are no sets or
/// their n_id differ.
OodMetrics mean_over_sets(std::span<const OodMetrics> sets);

}  // namespace nearfar
