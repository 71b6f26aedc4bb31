#pragma once
/// Last stage of a plan: trained models and all cells. Pure functions of the stages before.
#include "plan/plan.h"

namespace nearfar {

/// Models that the points train, point by point, benchmark by benchmark, seed by seed, with their train cells; those
/// that points share once. Error(config) for parameters of losses, Error(plugin) for a loss that does not tell its
/// traits. `points` are as many as the plan's.
void add_trained_models(Plan& plan, const std::vector<const Experiment*>& points);

/// Features, accuracy and eval cells of every model; with run.evaluate = false none, and models have their labels.
void add_model_cells(Plan& plan);

}  // namespace nearfar
