#pragma once
/// One pass of a network over an image set under the test transform, in memory or into the .npy files of a folder.
/// Evaluation mode, no gradients; both are restored. One thread.
#include "base/npy.h"
#include "data/image_stream.h"
#include "features/columns.h"
#include "features/manifest.h"
#include "features/network_pass.h"
#include "models/images.h"
#include "models/network.h"

#include <nearfar/features.h>

#include <cstdint>
#include <deque>
#include <filesystem>
#include <functional>
#include <optional>
#include <vector>

namespace nearfar {

struct Normalization {
  std::vector<double> mean, std;  ///< one per channel, on the scale 0 to 1
};

/// features [N,D], logits [N,C] (undefined without a linear head), labels [N]; `normalized` undefined. `progress` (may
/// be empty) is called with the number of images done.
FeatureBatch run_network(Network& network, const ImageView& images, std::int64_t batch_size = 256,
                         const std::function<void(std::int64_t)>& progress = {});

/// A pass over a stream into files, slab by slab: memory does not grow with the set. Everything it is given must
/// outlive it. Features and logits that are not finite are counted, and told to observers that would use them.
/// Error(data) if a file cannot be written.
class SetPass {
 public:
  /// `whole`: features, logits and labels too, not columns alone. `folder` must be there and hold none of the files.
  SetPass(const std::filesystem::path& folder, bool whole, Network& network, const Normalization& normalization,
          const ImageStream& stream, const std::vector<const Observer*>& observers);

  /// The next images of the set. Unreadable ones are left out.
  void add(const Slab& slab);
  /// Ends the files of the set itself: what they were made from; nothing unless `whole`.
  FeatureFacts finish();
  /// Ends those of the columns: the observers that did not fail.
  std::vector<const Observer*> finish_columns();
  PassCounts counts() const { return pass_.counts(); }

 private:
  void add_batch(const ImageView& view, std::int64_t begin, std::int64_t end, const Slab& slab);
  void check(const NetworkBatch& batch, std::int64_t first, const Slab& slab);
  void keep(const NetworkBatch& batch, const std::vector<at::Tensor>& looks, std::span<const std::int64_t> labels,
            std::int64_t row);

  const Normalization& normalization_;
  const ImageStream& stream_;
  const SetInfo& info_;
  Network& network_;
  FeatureFacts::Check check_;
  std::optional<NpyWriter> features_, labels_, logits_;
  std::deque<ColumnWriter> columns_;  // a deque: writers do not move
  NetworkPass pass_;
  std::uint64_t pixels_ = 0;  ///< hash so far
  std::vector<std::int64_t> unreadable_, damaged_;
};

}  // namespace nearfar
