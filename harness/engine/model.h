#pragma once
/// The model of an eval job: a network that is loaded only if some image set has no features yet, and the folder of its features.
#include "engine/job.h"
#include "features/folder.h"

#include <nlohmann/json.hpp>

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace nearfar {

/// Makes what is missing: one pass per image set without features. Returns the feature folder, the model's own for a model of features.
std::filesystem::path collect_features(const nlohmann::json& job, const std::vector<PlannedSet>& sets);

/// One row of accuracy for each protocol of the job: `test`, or `test` and the protocol's shifted sets pooled, by the linear head or,
/// without one, by nearest class mean. Empty if the folder has neither logits nor train features, or no labels.
struct AccuracyRow {
  std::string protocol, dataset;  ///< dataset: "test" or "test+csid"
  double value = 0;
};
struct ModelAccuracy {
  std::string classifier;  ///< "linear", "ncm" or ""
  std::vector<AccuracyRow> rows;
};
ModelAccuracy model_accuracy(const nlohmann::json& job, const FeatureFolder& folder);

/// Images left out of the sets because they could not be read.
std::int64_t unreadable_images(const std::filesystem::path& folder, const std::vector<PlannedSet>& sets);

}  // namespace nearfar
