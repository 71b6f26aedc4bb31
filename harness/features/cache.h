#pragma once
/// The features of a model on the disk, made once and shared by all postprocessors.
#include "features/set_pass.h"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace nearfar {

/// Called only if the network has to run.
using NetworkSource = std::function<Network&()>;
using StreamSource = std::function<std::unique_ptr<ImageStream>()>;

/// One image set that a model's features are wanted of.
struct SetRequest {
  std::string name;  ///< "test", "near/mnist"
  FeatureKey key;
  Normalization normalization;
  StreamSource open;
};

/// A model's feature folder (features/folder.h) that is filled as sets are asked for. Processes on one or several hosts
/// may share it; within a process one thread uses it.
class FeatureCache {
 public:
  explicit FeatureCache(std::filesystem::path root) : root_(std::move(root)) {}
  const std::filesystem::path& root() const { return root_; }

  /// Makes what is missing of a set: features.npy, logits.npy (with a linear head), labels.npy and manifest.json, and
  /// the observers' columns, in one pass over the images, slab by slab, under temporary names that are renamed at the
  /// end. Memory does not grow with the set. An older set there is replaced; if another process was faster with the
  /// same key, its set stays and our columns are put beside it. What a killed process left half-made is removed a day
  /// later. `progress` (may be empty) is called with the number of images done; it may throw to end the pass, as may an
  /// observer's `failed`.
  /// Returns what the pass cost: nothing if all was there. Error(data) if it cannot write, and whatever the stream
  /// says.
  PassCounts ensure(const SetRequest& request, const NetworkSource& network,
                    const std::vector<Observer>& observers = {},
                    const std::function<void(std::int64_t)>& progress = {}) const;

 private:
  std::filesystem::path root_;
};

/// FeatureCache::ensure for the set in `folder`.
PassCounts ensure_features(const std::filesystem::path& folder, const FeatureKey& key, const NetworkSource& network,
                           const Normalization& normalization, const StreamSource& open,
                           const std::vector<Observer>& observers = {},
                           const std::function<void(std::int64_t)>& progress = {});

/// head/weight.npy and head/bias.npy under a model's feature folder.
void write_head(const std::filesystem::path& folder, const HeadWeights& head);

}  // namespace nearfar
