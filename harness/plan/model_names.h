#pragma once
/// What leaderboards call models that were made elsewhere. Names change no result: they are in no key. Pure functions.
#include "plan/plan.h"

#include <string>
#include <vector>

namespace nearfar {

/// model.label, else model.training, else "": the file's or folder's own name will do.
std::string shown_name(const ForeignModel& entry);

/// Names the models of one benchmark: `training` of the nameless, from their files, as short as tells them apart; then,
/// where two would be the same row and seed, `training_params` "file=…" by which they differ; then every `label`.
void name_models(std::vector<ModelPlan>& models);

}  // namespace nearfar
