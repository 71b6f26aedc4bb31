#pragma once
/// One pass of a network over an image set under the test transform, in memory or into a cache folder that all
/// postprocessors share.
#include "data/image_stream.h"
#include "features/network_pass.h"
#include "models/images.h"
#include "models/network.h"

#include <nearfar/features.h>

#include <exception>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace nearfar {

/// Everything that decides what a feature set holds. Free text, usually hashes.
struct FeatureKey {
  std::string checkpoint;  ///< hash of the weights file
  std::string images;      ///< hash of the image set
  std::string preprocess = "uint8-normalize-2";
  std::string dtype = "float32";

  bool operator==(const FeatureKey&) const = default;
};

/// features [N,D], logits [N,C] (undefined without a linear head), labels [N]; `normalized` undefined. Evaluation mode,
/// no gradients. `progress` (may be empty) is called with the number of images done.
FeatureBatch run_network(Network& network, const ImageView& images, std::int64_t batch_size = 256,
                         const std::function<void(std::int64_t)>& progress = {});

/// True if `folder` holds a complete feature set of this key: manifest, files, sizes and shapes agree. `full` compares
/// contents with the manifest's hashes too. Never throws for a missing or damaged set: it is false.
bool features_cached(const std::filesystem::path& folder, const FeatureKey& key, bool full = false);

/// What a cached set's manifest says of the images it was made from.
struct FeatureFacts {
  std::int64_t images = 0;  ///< rows
  std::vector<std::int64_t>
      unreadable;      ///< positions in the set that were left out, ascending (data.on_unreadable = "skip")
  std::string pixels;  ///< hash of all pixels that the network saw
};
/// Error(data) if there is no readable manifest.
FeatureFacts read_facts(const std::filesystem::path& folder);

struct Normalization {
  std::vector<double> mean, std;  ///< one per channel, on the scale 0 to 1
};

/// A method that looks at every image inside the network, and where it is told of a failure: it is asked no more, the
/// others go on.
struct Observer {
  std::string key;                                   ///< everything that decides the columns besides FeatureKey
  Needs needs = 0;                                   ///< kMapStatistics, kInputGradients
  std::function<at::Tensor(NetworkBatch&)> observe;  ///< [B,K] float32, K the same for every batch
  std::function<void(const std::exception_ptr& why)> failed;  ///< may throw to end the pass
};

/// True if `folder` holds these columns, made with the set that `key` means: SET/observed/HASH.npy [N,K] float32 with
/// HASH.json.
bool columns_cached(const std::filesystem::path& folder, const FeatureKey& key, const std::string& columns);
/// [N,K] mapped. Error(data) if they are not there.
at::Tensor map_columns(const std::filesystem::path& folder, const std::string& columns);

/// Makes what is missing of a set: features.npy, logits.npy (with a linear head), labels.npy and manifest.json, and the
/// observers' columns, in one pass over the images, slab by slab, under temporary names that are renamed at the end.
/// Memory does not grow with the set. An older set there is replaced; if another process was faster with the same key,
/// its set stays and our columns are put beside it. `network` and `open` are called only if the network has to run.
/// Returns what the pass cost: nothing if all was there. Error(data) if it cannot write, and whatever the stream says.
PassCounts ensure_features(const std::filesystem::path& folder, const FeatureKey& key,
                           const std::function<Network&()>& network, const Normalization& normalization,
                           const std::function<std::unique_ptr<ImageStream>()>& open,
                           const std::vector<Observer>& observers = {},
                           const std::function<void(std::int64_t)>& progress = {});

/// head/weight.npy and head/bias.npy under a model's feature folder.
void write_head(const std::filesystem::path& folder, const HeadWeights& head);

}  // namespace nearfar
