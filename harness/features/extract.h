#pragma once
/// One pass of a network over an image set under the test transform, in memory or into a cache folder that all postprocessors share.
#include "models/images.h"
#include "models/network.h"

#include <nearfar/features.h>

#include <filesystem>
#include <functional>
#include <string>

namespace nearfar {

/// Everything that decides what a feature set holds. Free text, usually hashes.
struct FeatureKey {
  std::string checkpoint;  ///< hash of the weights file
  std::string images;      ///< hash of the image set
  std::string preprocess = "uint8-normalize-1";
  std::string dtype = "float32";

  bool operator==(const FeatureKey&) const = default;
};

/// features [N,D], logits [N,C] (undefined without a linear head), labels [N]; `normalized` undefined. Evaluation mode, no gradients.
/// `progress` (may be empty) is called with the number of images done.
FeatureBatch run_network(Network& network, const ImageView& images, std::int64_t batch_size = 256,
                         const std::function<void(std::int64_t)>& progress = {});

/// True if `folder` holds a complete feature set of this key: manifest, files, sizes and shapes agree. `full` compares contents with the
/// manifest's hashes too. Never throws for a missing or damaged set: it is false.
bool features_cached(const std::filesystem::path& folder, const FeatureKey& key, bool full = false);

/// Writes features.npy, logits.npy (if any), labels.npy and manifest.json into `folder`, as a unit: made under a temporary name beside it
/// and renamed. An older set there is replaced. If another process was faster with the same key, its set stays. Error(data) if it cannot
/// write.
void write_features(const std::filesystem::path& folder, const FeatureKey& key, const FeatureBatch& batch);

/// The cached set if there is one, else one pass over the images, written. Returns true if the network was run.
bool ensure_features(const std::filesystem::path& folder, const FeatureKey& key, Network& network, const ImageView& images,
                     const std::function<void(std::int64_t)>& progress = {});

/// head/weight.npy and head/bias.npy under a model's feature folder.
void write_head(const std::filesystem::path& folder, const HeadWeights& head);

}  // namespace nearfar
