#pragma once
/// What `run` and `worker` print at their end.
#include "plan/plan.h"
#include "work/worker.h"

#include <nlohmann/json_fwd.hpp>

#include <cstdint>
#include <string>

namespace nearfar {

nlohmann::json summary_json(const Plan& plan, const WorkSummary& summary, std::int64_t done_before);
std::string summary_text(const Plan& plan, const WorkSummary& summary, std::int64_t done_before);

}  // namespace nearfar
