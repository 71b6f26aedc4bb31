#pragma once
/// How good a model's classifier is, from its features: its linear head, or nearest class mean where it has none.
#include "features/folder.h"
#include "wire/jobs.h"
#include "wire/messages.h"

#include <filesystem>
#include <vector>

namespace nearfar {

/// Accuracy under each protocol (`test`, or `test` and the protocol's shifted sets pooled), NLL and ECE of `test` where
/// there are logits. Writes beneath `out`, into `folder`, quality.json with the counts of each class, an artifact, and
/// correct/SET.npy of every labelled set: one uint8 an image, 1 where the classifier is right, of which accuracy is the
/// mean.
/// Error(data) if the folder has neither logits nor train features, or no labels.
wire::Measured measure_classifier(const FeatureFolder& features, const std::vector<wire::Protocol>& protocols,
                                  const std::filesystem::path& out, const std::filesystem::path& folder);

}  // namespace nearfar
