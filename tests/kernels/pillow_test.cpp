/// Crop, jitter and grey against Pillow's bytes (tools/make_augment_golden.py), and steps small enough for the hand.
#include "base/files.h"
#include "kernels/augment_body.h"
#include "support/golden.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <zlib.h>

#include <array>
#include <numeric>

namespace nearfar {
namespace {

using nlohmann::json;
using Bytes = std::vector<std::uint8_t>;

std::uint32_t crc(const Bytes& bytes) {
  return static_cast<std::uint32_t>(::crc32(0, bytes.data(), static_cast<unsigned>(bytes.size())));
}

/// What the kernels do with one image, for random numbers that are given.
Bytes augmented(AugmentJob job, const augmentation::Draw& d, const Bytes& image) {
  const std::int32_t area = job.height * job.width;
  std::vector<float> values(static_cast<std::size_t>(256 * job.channels)), out(image.size());
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i % 256);
  job.table = values.data();
  std::int64_t sum = 0;
  for (std::int32_t at = 0; augment_needs_mean(job, d) && at < area; ++at)
    sum += augment_gray(job, d, image.data(), at);
  for (std::int32_t at = 0; at < area; ++at) augment_pixel(job, d, image.data(), sum, at, out.data());
  return {out.begin(), out.end()};
}

augmentation::Draw drawn(const json& drawing) {
  augmentation::Draw d{};
  d.flip = drawing["flip"];
  d.gray = drawing["gray"];
  d.jitter = !drawing["order"].empty();
  for (std::size_t i = 0; i < drawing["order"].size(); ++i) d.order[i] = drawing["order"][i];
  d.brightness = drawing["brightness"];
  d.contrast = drawing["contrast"];
  d.saturation = drawing["saturation"];
  d.turn = drawing["turn"];
  if (!drawing["crop"].is_null()) {
    d.top = drawing["crop"][0], d.left = drawing["crop"][1];
    d.height = drawing["crop"][2], d.width = drawing["crop"][3];
  }
  return d;
}

json golden_cases() { return json::parse(read_file(testing::source_dir() / "tests/golden/kernels/cases.json")); }

TEST(Pillow, GivesTheSameBytes) {
  const std::string file = read_file(testing::source_dir() / "tests/golden/kernels/image.bin");
  const Bytes image(file.begin(), file.end());
  const json golden = golden_cases();
  for (const json& drawing : golden["cases"]) {
    AugmentJob job{.height = golden["height"], .width = golden["width"], .channels = 3, .smallest_crop = 1};
    job.brightness = job.contrast = job.saturation = job.hue = 0.4F;
    if (!drawing["crop"].is_null()) job.smallest_crop = 0.2F;
    EXPECT_EQ(crc(augmented(job, drawn(drawing), image)), drawing["crc32"]) << drawing;
  }
}

TEST(Pillow, TurnsEveryColourTheSame) {
  const json golden = golden_cases()["colours"];
  const std::int32_t turn = golden["turn"];
  Bytes all;
  all.reserve(3U << 24U);
  for (std::int32_t colour = 0; colour < 1 << 24; ++colour) {
    const color::Pixel p = color::turned({{colour >> 16, (colour >> 8) & 255, colour & 255}}, turn);
    for (const std::int32_t c : p.c) all.push_back(static_cast<std::uint8_t>(c));
  }
  EXPECT_EQ(crc(all), golden["crc32"]);
}

TEST(Resize, EnlargesTwoPixelsToFourByHand) {
  // Centres of the four lie at 0.25, 0.75, 1.25, 1.75 of the two, whose own are 0.5 and 1.5: 0, 1/4, 3/4, 1 of the way.
  const Bytes image{0, 100};
  AugmentJob job{.height = 1, .width = 4, .channels = 1, .smallest_crop = 0.5F};
  Bytes wide{0, 100, 7, 7};
  augmentation::Draw d{};
  d.height = 1, d.width = 2;
  EXPECT_EQ(augmented(job, d, wide), (Bytes{0, 25, 75, 100}));
  d.flip = true;
  EXPECT_EQ(augmented(job, d, wide), (Bytes{100, 75, 25, 0}));
}

TEST(Jitter, BlendsWithBlackAndWithTheMeanInTheOrderGiven) {
  AugmentJob job{.height = 1, .width = 2, .channels = 1, .smallest_crop = 1, .brightness = 1, .contrast = 1};
  augmentation::Draw d{};
  d.jitter = true;
  d.brightness = 0.5F, d.contrast = 0.5F;
  const Bytes image{40, 100};
  const auto ordered = [&](std::array<std::int32_t, 4> order) {
    std::copy(order.begin(), order.end(), d.order);
    return augmented(job, d, image);
  };
  // 20, 50 after the brightness, whose mean is 35: half way is 27.5 and 42.5, fractions dropped.
  EXPECT_EQ(ordered({0, 1, 2, 3}), (Bytes{27, 42}));
  // Mean 70: 55, 85, then half of it.
  EXPECT_EQ(ordered({1, 0, 2, 3}), (Bytes{27, 42}));
  d.contrast = 2;
  EXPECT_EQ(ordered({0, 1, 2, 3}), (Bytes{5, 65}));
  EXPECT_EQ(ordered({1, 0, 2, 3}), (Bytes{5, 65}));
  job.brightness = 0;  // left alone, whatever was drawn
  EXPECT_EQ(ordered({0, 1, 2, 3}), (Bytes{10, 130}));
}

}  // namespace
}  // namespace nearfar
