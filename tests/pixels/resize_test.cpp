#include "pixels/resize.h"

#include "pixels/row_reader.h"
#include "pixels_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

namespace nearfar {
namespace {

using testing::Bytes;
using ::testing::ElementsAre;
using testing::exact;

Bytes gray(std::int64_t width, std::int64_t height, const Bytes& values) {
  RgbImage image{width, height, {}};
  for (std::uint8_t value : values) image.bytes.insert(image.bytes.end(), 3, value);
  return encode_png(image);
}

TEST(Resize, OfThreePixelsToTwoByHand) {
  // scale 1.5; output 0 has its centre at 0.75: weights 1 - 0.25 / 1.5 and 1 - 0.75 / 1.5, normalised 0.625 and 0.375;
  // output 1 mirrored 0.625 * 0 + 0.375 * 80 = 30 and 0.375 * 80 + 0.625 * 240 = 180
  EXPECT_THAT(testing::run(exact(1, 2, 1, 2), gray(3, 1, {0, 80, 240})), ElementsAre(30, 30, 30, 180, 180, 180));
  EXPECT_THAT(testing::run(exact(2, 1, 2, 1), gray(1, 3, {0, 80, 240})), ElementsAre(30, 30, 30, 180, 180, 180));
}

TEST(Resize, RoundsAHalfUp) {
  EXPECT_THAT(testing::run(exact(1, 1, 1, 1), gray(2, 1, {10, 21})), ElementsAre(16, 16, 16));
}

TEST(Resize, WeightsOfFixedPointSumToOneWithinTheirRounding) {
  for (const auto& [in, out] : {std::pair{3, 2}, {375, 256}, {28, 32}, {500, 1}, {1, 500}, {65500, 32}}) {
    ResizeAxis axis;
    make_resize_axis(in, out, 0, out, axis);
    ASSERT_EQ(axis.taps % 4, 0U);
    EXPECT_EQ(axis.begin, 0);
    EXPECT_EQ(axis.end, in);
    for (std::size_t i = 0; i < axis.count; ++i) {
      std::int64_t sum = 0;
      for (std::size_t k = 0; k < axis.taps; ++k) sum += axis.weights[i * axis.taps + k];
      EXPECT_NEAR(static_cast<double>(sum), 1 << 22, static_cast<double>(axis.size[i])) << in << " to " << out;
    }
  }
}

TEST(Resize, AnAxisOfTheMiddleIsTheMiddleOfTheAxis) {
  ResizeAxis whole, middle;
  make_resize_axis(500, 341, 0, 341, whole);
  make_resize_axis(500, 341, 58, 224, middle);
  for (std::size_t i = 0; i < 224; ++i) {
    ASSERT_EQ(middle.first[i], whole.first[i + 58]);
    ASSERT_EQ(middle.size[i], whole.size[i + 58]);
    for (std::size_t k = 0; k < middle.size[i]; ++k)
      ASSERT_EQ(middle.weights[i * middle.taps + k], whole.weights[(i + 58) * whole.taps + k]);
  }
}

TEST(Resize, KernelsOfThisProcessorGiveThePortableBytes) {
  std::mt19937 random(1);
  for (const auto& [in, out] : {std::pair{375, 256}, {500, 32}, {28, 32}, {5, 7}, {3000, 40}, {1, 9}, {700, 256}}) {
    ResizeAxis axis;
    make_resize_axis(in, out, 0, out, axis);
    Bytes row(static_cast<std::size_t>(in) * 3 + kRowSlack);
    for (auto& byte : row) byte = static_cast<std::uint8_t>(random());
    Bytes ours(axis.count * 3 + kRowSlack), portable(axis.count * 3);
    resize_row(axis, row.data(), ours.data());
    resize_row_portable(axis, row.data(), portable.data());
    ours.resize(portable.size());
    EXPECT_EQ(ours, portable) << in << " to " << out;

    std::vector<Bytes> rows(axis.size[0], Bytes(101));
    std::vector<const std::uint8_t*> pointers;
    for (auto& bytes : rows) {
      for (auto& byte : bytes) byte = static_cast<std::uint8_t>(random());
      pointers.push_back(bytes.data());
    }
    Bytes column(101), column_portable(101);
    resize_column(axis.weights.data(), pointers.data(), pointers.size(), 101, column.data());
    resize_column_portable(axis.weights.data(), pointers.data(), pointers.size(), 101, column_portable.data());
    EXPECT_EQ(column, column_portable) << in << " to " << out;
  }
}

TEST(Resize, DoesTheVerticalPassFirstWhereTheHeightShrinksByMoreThanTwiceTheWidth) {
  // each as Pillow 13 does it
  EXPECT_FALSE(resizes_vertically_first(100, 200, 60, 120));
  EXPECT_TRUE(resizes_vertically_first(100, 200, 60, 110));
  EXPECT_TRUE(resizes_vertically_first(100, 100, 101, 98));
  EXPECT_FALSE(resizes_vertically_first(100, 100, 120, 101));
  EXPECT_FALSE(resizes_vertically_first(500, 375, 341, 256));
  EXPECT_FALSE(resizes_vertically_first(333, 500, 256, 384));
}

TEST(ResizeAxes, KeepsWhatWasUsedLast) {
  ResizeAxes axes;
  const ResizeAxis& first = axes.get(375, 256, 16, 224);
  for (int i = 0; i < 100; ++i) {
    axes.get(100 + i, 32, 0, 32);
    EXPECT_EQ(&axes.get(375, 256, 16, 224), &first);
  }
  EXPECT_EQ(first.count, 224U);
}

}  // namespace
}  // namespace nearfar
