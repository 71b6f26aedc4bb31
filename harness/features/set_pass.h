#pragma once
/// One pass of a network over an image set under the test transform, in memory or into the .npy files of a folder.
/// Evaluation mode, no gradients; both are restored. One thread.
#include "base/npy.h"
#include "data/image_stream.h"
#include "device/transfer.h"
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

/// Images of a set that are not what their files should have been.
struct ImageFaults {
  std::int64_t unreadable = 0;  ///< left out, because they could not be read
  std::int64_t damaged = 0;     ///< used with made-up pixels: files cut off or with errors
};

/// features [N,D], logits [N,C] (undefined without a linear head), labels [N], all on the network's device;
/// `normalized` undefined. `progress` (may be empty) is called with the number of images done.
/// `batch_size` 0: images_at_once().
FeatureBatch run_network(Network& network, const ImageView& images, std::int64_t batch_size = 0,
                         const std::function<void(std::int64_t)>& progress = {});

/// Images of a size that run_network() computes with at once where nobody says: the sums of a CPU's convolutions may
/// depend on it.
std::int64_t images_at_once(std::int64_t height, std::int64_t width);

/// The same of the images of a stream, a slab at once; unreadable ones are left out. `faults`: how many those were, and
/// of how many the files are damaged. Memory: the features, and the stream's.
FeatureBatch run_network(Network& network, ImageStream& images, const Normalization& normalization,
                         const std::function<void(std::int64_t)>& progress = {}, ImageFaults* faults = nullptr);

/// A pass over a stream into files, slab by slab: memory does not grow with the set. On a device the next slab is sent
/// and computed while the last one's results travel and are written. Everything it is given must outlive it. Features
/// and logits that are not finite are counted, and told to observers that would use them. Error(data) if a file cannot
/// be written.
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
  /// Some images of a slab, from position `first` of the set.
  struct Part {
    std::int64_t first = 0, count = 0;
    std::vector<std::int64_t> unreadable = {};  ///< positions in the set, of these images
  };
  void add_part(const at::Tensor& images, const Part& part);
  void compute(const at::Tensor& images, const Part& part);
  void check(const at::Tensor& features, const at::Tensor& logits, const Part& part);
  void keep(const std::vector<at::Tensor>& rows, const Part& part);
  void append(const std::vector<at::Tensor>& rows, std::int64_t row, std::int64_t count, std::int64_t first);

  const Normalization& normalization_;
  const ImageStream& stream_;
  const SetInfo& info_;
  Network& network_;
  FeatureFacts::Check check_;
  std::optional<NpyWriter> features_, labels_, logits_;
  std::deque<ColumnWriter> columns_;  // a deque: writers do not move
  NetworkPass pass_;
  Uploader uploader_;
  Downloader downloader_;
  at::Tensor table_;          ///< of the normalisation, on a device
  std::int64_t checked_ = 0;  ///< images that were looked at for NaN
  std::int64_t most_ = 0;     ///< images through the network at once; 0 = not known yet
  std::uint64_t pixels_ = 0;  ///< hash so far
  std::vector<std::int64_t> unreadable_, damaged_;
};

}  // namespace nearfar
