#include "base/hash.h"
#include "data/readers.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <numeric>
#include <span>

namespace nearfar {
namespace {

TEST(Noise, IsUniformAndDependsOnTheSeedAlone) {
  const SourceImages a = make_noise(1, 100, 1, 10, 10);
  EXPECT_EQ(a.pixels.size(), 10000U);
  EXPECT_EQ(a.pixels, make_noise(1, 100, 1, 10, 10).pixels);
  EXPECT_NE(a.pixels, make_noise(2, 100, 1, 10, 10).pixels);
  // Mean of 10,000 uniform bytes: 127.5 with standard error 73.9 / 100; five of those.
  EXPECT_NEAR(std::accumulate(a.pixels.begin(), a.pixels.end(), 0.0) / 10000, 127.5, 3.7);
}

TEST(Noise, FollowsSplitMix64) {
  // Computed apart from this code: mix(mix(mix(seed) ^ image) ^ position) >> 56 with seed 3.
  const SourceImages noise = make_noise(3, 2, 1, 16, 16);
  EXPECT_EQ(noise.pixels[0], 84);
  EXPECT_EQ(noise.pixels[1], 81);
  EXPECT_EQ(noise.pixels[256], 85);
  EXPECT_EQ(noise.pixels[256 + 255], 68);
}

TEST(Noise, AnImageDoesNotDependOnHowManyThereAre) {
  const SourceImages few = make_noise(5, 2, 1, 4, 4), many = make_noise(5, 9, 1, 4, 4);
  EXPECT_TRUE(std::equal(few.pixels.begin(), few.pixels.end(), many.pixels.begin()));
}

TEST(Shapes, LabelsTakeTurns) {
  const SourceImages images = make_shapes("gratings", 1, 7, 3, 2, 8, 8);
  EXPECT_EQ(images.labels, (std::vector<std::int64_t>{0, 1, 2, 0, 1, 2, 0}));
  EXPECT_EQ(images.pixels.size(), 7U * 2 * 8 * 8);
}

TEST(Shapes, GratingsOfLabelZeroVaryAcrossAndNotAlong) {
  // Direction 0: the wave runs along x, so all rows of an image are equal but for the noise of at most 40 on each side.
  const SourceImages images = make_shapes("gratings", 3, 1, 2, 1, 16, 16);
  for (std::size_t x = 0; x < 16; ++x) EXPECT_LE(std::abs(int{images.pixels[x]} - int{images.pixels[16 + x]}), 81);
  const auto [low, high] = std::minmax_element(images.pixels.begin(), images.pixels.end());
  EXPECT_GT(*high - *low, 100);
}

TEST(Shapes, ChannelsAreInterleaved) {
  // The channels of a pixel differ by noise alone (at most 40 on each side); as planes, neighbours would belong to one
  // wave.
  const SourceImages images = make_shapes("blobs", 4, 1, 4, 3, 16, 16);
  for (std::size_t pixel = 0; pixel < 256; ++pixel) {
    EXPECT_LE(std::abs(int{images.pixels[3 * pixel]} - int{images.pixels[3 * pixel + 2]}), 81);
  }
}

TEST(Shapes, AreTheSameBytesOnEveryMachine) {
  const auto hash = [](const SourceImages& images) { return xxh3(std::as_bytes(std::span(images.pixels))); };
  EXPECT_EQ(hash(make_shapes("gratings", 1, 60, 6, 1, 16, 16)), 9588785269826709775U);
  EXPECT_EQ(hash(make_shapes("blobs", 2, 40, 4, 1, 16, 16)), 13920915710459339448U);
  EXPECT_EQ(hash(make_noise(3, 20, 1, 16, 16)), 14119107641196688824U);
}

}  // namespace
}  // namespace nearfar
