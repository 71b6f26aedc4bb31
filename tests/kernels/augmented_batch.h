#pragma once
/// Training augmentation on packed images: a shift with zero padding and a horizontal flip, each image by its own
/// random numbers. Pure functions of (seed, epoch, index, view); safe from any thread.
#include "models/images.h"

#include <cstdint>
#include <span>

namespace nearfar {

struct Augmentation {
  std::int64_t shift =
      0;  ///< rows and columns move by -shift … shift, uniformly; uncovered pixels are black (0 before normalisation)
  bool flip = false;  ///< left-right with probability one half
};

/// Images `indices`, augmented and normalised, for views 0 … views-1: [views * B, channels, height, width] float32 in
/// channels-last memory, all of view 0 first.
at::Tensor augmented_batch(const ImageView& images, std::span<const std::int64_t> indices,
                           const Augmentation& augmentation, int views, std::uint64_t seed, std::int64_t epoch);

}  // namespace nearfar
