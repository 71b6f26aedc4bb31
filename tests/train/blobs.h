#pragma once
#include "models/images.h"
#include "train/random.h"

#include <cstdint>
#include <vector>

namespace nearfar {

/// `count` noisy 8 x 8 images of 3 classes: class c has a bright square in corner c.
struct Blobs {
  explicit Blobs(std::int64_t count, std::uint64_t seed) {
    for (std::int64_t i = 0; i < count; ++i) {
      const std::int64_t label = i % 3;
      labels.push_back(label);
      for (std::int64_t p = 0; p < 64; ++p) {
        const std::int64_t y = p / 8, x = p % 8;
        const bool bright = (y < 4) == (label < 2) && (x < 4) == (label % 2 == 0);
        const std::uint64_t noise = bounded(random_bits(seed, RandomPurpose::flip, i, p), 100);
        pixels.push_back(static_cast<std::uint8_t>((bright ? 130 : 0) + noise));
      }
    }
    view = {pixels, labels, count, 1, 8, 8, {0.3}, {0.25}};
  }
  Blobs(const Blobs&) = delete;
  Blobs& operator=(const Blobs&) = delete;
  std::vector<std::uint8_t> pixels;
  std::vector<std::int64_t> labels;
  ImageView view;
};

}  // namespace nearfar
