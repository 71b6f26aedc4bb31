#pragma once
/// Private to report/: the numbers of a panel, without scores: rows, importance, grids. Pure functions.
#include "report/ablation.h"
#include "report/ablation_panels.h"

#include <optional>
#include <vector>

namespace nearfar {

/// Mean over the sets of the metric's group, by seed; nullopt where a seed lacks the metric.
std::optional<std::vector<double>> by_seed(const SelectedRow& row, const AblationMetric& metric);

std::vector<AblationRow> measure_rows(const Panel& panel, const std::vector<AblationMetric>& metrics);

/// Nothing where fewer than three rows have the metric, or there is one axis alone: it would explain everything.
std::optional<AblationImportance> measure_importance(const AblationPanel& panel, std::size_t metric);

/// `chosen`: names of two axes, or none: then the pair of which every combination is there, and whose means lie
/// furthest apart. Nothing where there is no such pair.
std::optional<AblationGrid> measure_grid(const AblationPanel& panel, std::size_t metric,
                                         const std::vector<std::string>& chosen);

}  // namespace nearfar
