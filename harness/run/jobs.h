#pragma once
/// What is sent to an engine and what comes back, as JSON text (docs/engine-protocol.md).
#include "run/plan.h"

#include <nlohmann/json_fwd.hpp>

#include <string>
#include <vector>

namespace nearfar {

/// Version of this build, as stored with every run.
std::string engine_version();

std::string train_job(const Plan& plan, const PlannedModel& model);
std::string eval_job(const Plan& plan, const PlannedModel& model, const std::vector<PlannedEval*>& evals);

/// Of a "trained" and a "scored" message; of the latter the metrics hold only accuracies.
TrainResult train_result_from(const nlohmann::json& message);
EvalResult eval_result_from(const nlohmann::json& message);

}  // namespace nearfar
