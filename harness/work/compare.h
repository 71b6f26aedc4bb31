#pragma once
/// What the database knows of the cells of a plan, and where the files of its models lie.
#include "plan/plan.h"
#include "store/planning.h"

#include <filesystem>
#include <vector>

namespace nearfar {

/// Where a model's files are, by index into Plan::models.
struct ModelPlaces {
  std::filesystem::path
      checkpoint;  ///< trained: best.safetensors of its valid run, else where this run will put it. Absolute
  std::filesystem::path features_root = {};  ///< its features lie in features_root/feature_folder(key). Absolute
};

/// Fills in state, reason and will_run of every cell. A finished cell whose files are gone or of another size runs
/// again, and so does what is made from it. A features cell runs only if a cell that runs looks at its set. `store` may
/// be null: nothing has been run yet.
std::vector<ModelPlaces> compare(Plan& plan, const PlanStore* store);

/// Where the files of one model lie by now: other workers may have made them since the comparison, in folders of their
/// own.
ModelPlaces places_now(const Plan& plan, const PlanStore& store, std::size_t model);

}  // namespace nearfar
