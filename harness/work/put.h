#pragma once
/// A plan into the database: benchmarks, plugins, the experiment, its cells. One transaction together with the
/// comparison, so that nothing can change in between.
#include "plan/plan.h"
#include "store/session.h"
#include "work/compare.h"

#include <cstdint>
#include <string>
#include <vector>

namespace nearfar {

/// What a worker needs of a plan that has been put.
struct PutPlan {
  std::int64_t experiment_id = 0;
  std::vector<ModelPlaces> places = {};       ///< by model
  std::vector<std::int64_t> plugin_ids = {};  ///< by index into Catalog::plugins; 0 = not used by this plan
};

/// Compares, and puts. Cells that are to run again are planned again; nothing is deleted.
PutPlan put_plan(Plan& plan, Session& session);

/// Registers the plugins that the plan uses; ids by index into Catalog::plugins, 0 = not used.
std::vector<std::int64_t> put_plugins(const Plan& plan, PlanStore& store);

/// As the database keeps them.
BenchmarkRecord benchmark_record(const BenchmarkPlan& plan);

}  // namespace nearfar
