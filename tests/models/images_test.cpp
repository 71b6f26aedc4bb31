#include "models/images.h"

#include "base/error.h"

#include <gtest/gtest.h>

namespace nearfar {
namespace {

TEST(TestBatch, NormalisesEachChannelWithItsOwnMeanAndDeviation) {
  // One image of 2 channels, 1 x 2 pixels: channel 0 = {0, 255}, channel 1 = {51, 102} = {0.2, 0.4}.
  const std::vector<std::uint8_t> pixels{0, 51, 255, 102};
  const std::vector<std::int64_t> labels{3};
  const ImageView images{pixels, labels, 1, 2, 1, 2, {0.5, 0.2}, {0.25, 0.1}};
  const at::Tensor batch = test_batch(images, 0, 1).contiguous();
  ASSERT_EQ(batch.sizes(), (std::vector<std::int64_t>{1, 2, 1, 2}));
  const float* values = batch.const_data_ptr<float>();
  EXPECT_FLOAT_EQ(values[0], -2);  // (0 - 0.5) / 0.25
  EXPECT_FLOAT_EQ(values[1], 2);
  EXPECT_FLOAT_EQ(values[2], 0);
  EXPECT_FLOAT_EQ(values[3], 2);  // (0.4 - 0.2) / 0.1
}

TEST(CheckImages, RefusesSizesThatDoNotAgree) {
  const std::vector<std::uint8_t> pixels(8);
  const std::vector<std::int64_t> labels(2);
  EXPECT_NO_THROW(check_images({pixels, labels, 2, 1, 2, 2, {0}, {1}}));
  EXPECT_THROW(check_images({pixels, labels, 2, 1, 2, 3, {0}, {1}}), Error);
  EXPECT_THROW(check_images({pixels, {labels.data(), 1}, 2, 1, 2, 2, {0}, {1}}), Error);
  EXPECT_THROW(check_images({pixels, labels, 2, 1, 2, 2, {0, 0}, {1}}), Error);
  EXPECT_THROW(check_images({pixels, labels, 2, 1, 2, 2, {0}, {0}}), Error);
}

}  // namespace
}  // namespace nearfar
