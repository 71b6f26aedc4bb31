#pragma once
/// Last stage of a plan: trained models and all cells. Pure functions of the stages before.
#include "plan/plan.h"

namespace nearfar {

/// Models that the experiment trains, benchmark by benchmark, seed by seed, with their train cells. Error(config) for
/// parameters of losses, Error(plugin) for a loss that does not tell its traits.
void add_trained_models(Plan& plan);

/// Features, accuracy and eval cells of every model.
void add_model_cells(Plan& plan);

}  // namespace nearfar
