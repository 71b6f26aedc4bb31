#pragma once
/// How good a model's classifier is, from its features: its linear head, or nearest class mean where it has none.
#include "features/folder.h"
#include "wire/jobs.h"
#include "wire/messages.h"

#include <filesystem>
#include <vector>

namespace nearfar {

/// Accuracy under each protocol (`test`, or `test` and the protocol's shifted sets pooled), NLL and ECE of `test` where
/// there are logits. Writes quality.json with the counts of each class into `folder`, an artifact beneath `out`.
/// Error(data) if the folder has neither logits nor train features, or no labels.
wire::Measured measure_classifier(const FeatureFolder& features, const std::vector<wire::Protocol>& protocols,
                                  const std::filesystem::path& out, const std::filesystem::path& folder);

}  // namespace nearfar
