#pragma once
/// Models that were made elsewhere: weights files and feature folders, as a plan needs them. Reads files and asks the
/// engine.
#include "run/plan.h"

#include <vector>

namespace nearfar {

/// One model for each entry of the experiment, or for each seed folder s0, s1, … beneath a checkpoint folder (OpenOOD's
/// layout). Identity, label and head are filled in; evals and the data hash are not. Error(data): file missing,
/// unreadable or of other classes than the benchmark; Error(config): two models with the same name and seed.
std::vector<PlannedModel> foreign_models(const Plan& plan);

/// The image sets of a plan on feature folders: those of the folders, with the benchmark's groups and expected counts;
/// no image is looked at. All folders must hold the same sets with the same labels. Errors as read_manifest.
Manifest feature_manifest(const Plan& plan);

}  // namespace nearfar
