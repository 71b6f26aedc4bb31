/// Tables against the pixel-by-pixel body: every colour, and shifts by more than the image.
#include "data/augment_view.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <iterator>
#include <random>

namespace nearfar {
namespace {

using Bytes = std::vector<std::uint8_t>;

Bytes all_colours() {
  Bytes all;
  all.reserve(3U << 24U);
  for (std::int32_t colour = 0; colour < 1 << 24; ++colour) {
    for (const std::int32_t c : {colour >> 16, (colour >> 8) & 255, colour & 255})
      all.push_back(static_cast<std::uint8_t>(c));
  }
  return all;
}

TEST(ViewFinisher, TurnsAndSaturatesEveryColourAsTheBody) {
  const Bytes before = all_colours();
  AugmentJob job{.channels = 3, .saturation = 0.4F, .hue = 0.1F};
  augmentation::Draw d{};
  const std::int32_t order[] = {augmentation::kStepBrightness, augmentation::kStepHue, augmentation::kStepContrast,
                                augmentation::kStepSaturation};
  std::copy(std::begin(order), std::end(order), d.order);
  d.jitter = true;
  d.saturation = 1.37F, d.turn = -23;
  Bytes after = before;
  ViewFinisher().color(job, d, after);
  std::size_t wrong = 0;
  for (std::size_t i = 0; i < before.size(); i += 3) {
    const color::Pixel p = augmentation::jittered(job, d, {{before[i], before[i + 1], before[i + 2]}}, 0, false);
    for (std::size_t c = 0; c < 3; ++c) wrong += p.c[c] == after[i + c] ? 0 : 1;
  }
  EXPECT_EQ(wrong, 0U);
}

TEST(ShiftAndFlip, MovesTheMirroredImageByHand) {
  // 1 x 3 pixels 1 2 3 of one value each. Flip: 3 2 1; then one column to the right: 0 3 2; to the left: 2 1 0.
  const Bytes image{1, 1, 1, 2, 2, 2, 3, 3, 3};
  const AugmentJob job{.height = 1, .width = 3, .channels = 3};
  const auto moved = [&](std::int32_t rows, std::int32_t columns, bool flip) {
    Bytes out(9, 9);
    augmentation::Draw d{};
    d.rows = rows, d.columns = columns, d.flip = flip;
    shift_and_flip(job, d, image.data(), out.data());
    return Bytes{out[0], out[3], out[8]};
  };
  EXPECT_EQ(moved(0, 1, true), (Bytes{0, 3, 2}));
  EXPECT_EQ(moved(0, -1, true), (Bytes{2, 1, 0}));
  EXPECT_EQ(moved(0, 1, false), (Bytes{0, 1, 2}));
  EXPECT_EQ(moved(0, -1, false), (Bytes{2, 3, 0}));
  EXPECT_EQ(moved(1, 0, false), (Bytes{0, 0, 0}));
  EXPECT_EQ(moved(0, 0, true), (Bytes{3, 2, 1}));
}

TEST(ShiftAndFlip, EqualsTheBodyForEveryShift) {
  std::mt19937 random(3);
  for (const std::int32_t width : {1, 2, 5, 32}) {
    const AugmentJob job{.height = 4, .width = width, .channels = 3, .smallest_crop = 1};
    Bytes image(static_cast<std::size_t>(4 * width * 3)), out(image.size()), expected(image.size());
    for (std::uint8_t& value : image) value = static_cast<std::uint8_t>(random() | 1U);
    for (std::int32_t columns = -width - 2; columns <= width + 2; ++columns) {
      for (std::int32_t rows = -5; rows <= 5; ++rows) {
        for (const bool flip : {false, true}) {
          augmentation::Draw d{};
          d.rows = rows, d.columns = columns, d.flip = flip;
          shift_and_flip(job, d, image.data(), out.data());
          for (std::int32_t at = 0; at < 4 * width; ++at) {
            augment_values(job, d, image.data(), 0, at, [&](std::int32_t c, std::int32_t value) {
              expected[static_cast<std::size_t>(3 * at + c)] = static_cast<std::uint8_t>(value);
            });
          }
          ASSERT_EQ(out, expected) << width << ": " << rows << "," << columns << " " << flip;
        }
      }
    }
  }
}

}  // namespace
}  // namespace nearfar
