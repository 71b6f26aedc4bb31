#pragma once
/// Pictures of an ablation, with the seeds as whiskers. Pure functions.
#include "plot/figure.h"
#include "report/ablation.h"

#include <string>
#include <vector>

namespace nearfar {

/// Of one panel (its place in `ablation`): a tornado of the differences for each metric, a line for each axis of
/// numbers (others at the baseline), grids, the importance of axes. Those without anything to show are left out. `id`
/// of each is unique in the report and a safe name of a file, whatever names results have.
std::vector<plot::Figure> ablation_figures(const Ablation& ablation, std::size_t panel);

}  // namespace nearfar
