#pragma once
/// Batches whose images come from a TrainStream: for sets that are too large to lie in memory. One thread.
#include "data/train_stream.h"
#include "models/images.h"
#include "train/batches.h"

#include <cstdint>
#include <memory>
#include <set>
#include <span>
#include <vector>

namespace nearfar {

/// Positions in a set of images that others stand in for, and of those whose files are damaged.
struct FaultyImages {
  std::set<std::int64_t> unreadable, damaged;
};

/// The same tensors as resident_batches() where all images have the set's size. Parts of a batch are as many images as
/// asked for, but none reaches over two batches of the stream: its batch is the training step's. `mean` and `std`: of
/// the benchmark. `seen` outlives it and gets what the epochs meet. Errors of the stream are thrown by next().
class StreamedBatches final : public Batches {
 public:
  StreamedBatches(std::unique_ptr<TrainStream> stream, int views, const std::vector<double>& mean,
                  const std::vector<double>& std, at::Device device, FaultyImages& seen);
  ~StreamedBatches() override;

  void begin_epoch(std::int64_t epoch, std::span<const std::int64_t> order, std::int64_t done) override;
  Batch next(std::int64_t size) override;

 private:
  struct Sent;
  std::unique_ptr<TrainStream> stream_;
  std::int64_t views_, height_, width_;
  std::unique_ptr<Sent> sent_;
  TrainSlab slab_;
  std::int64_t used_ = 0;  ///< images of the slab
  FaultyImages& seen_;
};

}  // namespace nearfar
