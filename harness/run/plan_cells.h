#pragma once
/// From the parts of a plan to single cells with their identity. Pure functions of what they are given.
#include "run/plan.h"

namespace nearfar {

/// The train cell of a loss and a seed. Error(config) for its parameters.
PlannedModel plan_model(const Plan& plan, const LossChoice& loss, std::int64_t seed);

/// One postprocessor on a model; the manifest is there.
PlannedEval plan_eval(const Plan& plan, const PlannedModel& model, const PostprocessorChoice& choice);

/// The grid that the choice asks for; empty = no search.
ParamGrid grid_of(const PluginDescription& plugin, const PostprocessorChoice& choice);

/// Grid and parameters; a parameter that is searched cannot be given too (with OpenOOD's grid, giving it means: do not
/// search it).
void plan_params(PlannedEval& eval, const PostprocessorChoice& choice);

}  // namespace nearfar
