#pragma once
/// From cells of a plan to the job of an engine. Pure functions.
#include "plan/plan.h"
#include "wire/jobs.h"
#include "work/compare.h"
#include "work/shares.h"

#include <string>
#include <vector>

namespace nearfar {

/// Version of this build, as stored with every run.
std::string engine_version();

/// Cells of one model that one child does together: indices into the plan's lists.
struct Group {
  std::size_t model = 0;
  std::vector<std::size_t> features = {}, evals = {};
  std::vector<std::size_t> accuracies = {};  ///< none or one
};

wire::TrainJob train_job(const Plan& plan, const TrainCell& train, const Shares& shares);
wire::EvalJob eval_job(const Plan& plan, const ModelPlaces& places, const Group& group, const Shares& shares);

}  // namespace nearfar
