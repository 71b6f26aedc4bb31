#pragma once
/// What the steps of an epoch train on, batch after batch, on the network's device: an interface, and the images that
/// lie in memory. One thread.
#include "config/recipe.h"
#include "kernels/augment.h"
#include "models/images.h"

#include <nearfar/loss.h>

#include <cstdint>
#include <memory>
#include <span>

namespace nearfar {

struct Batch {
  at::Tensor images;  ///< [views * B, C, H, W] float32, normalised, in channels-last memory; all of view 0 first
  at::Tensor labels;  ///< [B] int64
  std::int64_t most_of_a_label = 0;  ///< how many of them are the same at most
};

class Batches {
 public:
  Batches() = default;
  Batches(const Batches&) = delete;
  Batches& operator=(const Batches&) = delete;
  virtual ~Batches() = default;

  /// `order`: the images in the order in which this epoch visits them; the first `done` of them are done. At most one
  /// wait for the device.
  virtual void begin_epoch(std::int64_t epoch, std::span<const std::int64_t> order, std::int64_t done) = 0;

  /// The next `size` images, on the device and on their way there: no wait. Their augmentation depends on seed, epoch,
  /// image and view alone, not on the batch that they are in.
  virtual Batch next(std::int64_t size) = 0;
};

/// What a recipe does to the images of a loss.
AugmentRecipe augmentation(const TrainRecipe& recipe, const LossTraits& traits);

/// Of images in the host's memory, which outlive it. They are copied to the device where they fit into a third of what
/// is free there; otherwise every batch is made on the host and sent through pinned memory.
std::unique_ptr<Batches> resident_batches(const ImageView& images, const AugmentRecipe& recipe, std::uint64_t seed,
                                          at::Device device);

}  // namespace nearfar
