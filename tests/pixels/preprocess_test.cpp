#include "pixels/preprocess.h"

#include "base/error.h"
#include "pixels_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace nearfar {
namespace {

using testing::Bytes;
using testing::crc;
using ::testing::HasSubstr;
using testing::run;
using testing::shorter_side;
using testing::synthetic;

TEST(Preprocess, NamesItsPixels) {
  EXPECT_EQ(preprocess_id(shorter_side(256, 224, 224)), "rgb-1/short256/crop224x224");
  EXPECT_EQ(preprocess_id(testing::exact(20, 30, 16, 40)), "rgb-1/exact20x30/crop16x40");
  EXPECT_EQ(preprocess_id({.resize = Preprocess::Resize::none, .height = 224, .width = 225}), "rgb-1/stored224x225");
}

TEST(Preprocess, RefusesSizesThatCannotBe) {
  EXPECT_THROW(ImagePipeline(shorter_side(0, 32, 32)), Error);
  EXPECT_THROW(ImagePipeline(shorter_side(32, 0, 32)), Error);
  EXPECT_THROW(ImagePipeline(testing::exact(0, 32, 32, 32)), Error);
  EXPECT_THROW(preprocess_id(shorter_side(32, 32, 1 << 20)), Error);
}

TEST(ImagePipeline, CopiesAnImageThatHasItsSize) {
  const RgbImage image = synthetic(32, 32);
  EXPECT_EQ(run(shorter_side(32, 32, 32), encode_png(image)), image.bytes);
  EXPECT_EQ(run({.resize = Preprocess::Resize::none, .height = 32, .width = 32}, encode_png(image)), image.bytes);
}

TEST(ImagePipeline, RefusesAnotherSizeWhereResizingIsOff) {
  const Preprocess stored{.resize = Preprocess::Resize::none, .height = 32, .width = 32};
  try {
    run(stored, encode_png(synthetic(33, 32)));
    FAIL() << "a wide image was taken";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::data);
    EXPECT_THAT(error.what(), HasSubstr("the image is 33 x 32 pixels; 32 x 32 are wanted"));
  }
}

TEST(ImagePipeline, RoundsTheCropOffsetHalfToEven) {
  // a difference of 1, 3, 5, 7 pixels gives the offset 0, 2, 2, 4
  for (const auto& [difference, offset] : {std::pair{1, 0}, {3, 2}, {5, 2}, {7, 4}, {2, 1}}) {
    const RgbImage image = synthetic(8 + difference, 8);
    const Bytes out = run(shorter_side(8, 8, 8), encode_png(image));
    for (std::size_t y = 0; y < 8; ++y) {
      const auto row = image.bytes.begin() + (static_cast<std::ptrdiff_t>(y) * image.width + offset) * 3;
      EXPECT_TRUE(std::equal(row, row + 24, out.begin() + static_cast<std::ptrdiff_t>(y) * 24))
          << difference << ", row " << y;
    }
  }
}

TEST(ImagePipeline, PadsASmallImageWithZeros) {
  const RgbImage image = synthetic(3, 2);
  const Bytes out =
      run(shorter_side(2, 5, 6), encode_png(image));  // 1 row above, 2 below; 1 column on the left, 2 on the right
  for (std::int64_t y = 0; y < 5; ++y) {
    for (std::int64_t x = 0; x < 6 * 3; ++x) {
      const bool inside = y >= 1 && y < 3 && x >= 3 && x < 12;
      const int expected = inside ? image.bytes[static_cast<std::size_t>((y - 1) * 9 + x - 3)] : 0;
      EXPECT_EQ(out[static_cast<std::size_t>(y * 18 + x)], expected) << y << ", " << x;
    }
  }
}

TEST(ImagePipeline, GivesTheReferencesChecksumsOfTheSyntheticImage) {
  struct Case {
    std::int64_t width, height, side, crop, resized_width, resized_height;
    const char *resized, *cropped;
  };
  for (const Case& c :
       {Case{64, 64, 32, 32, 32, 32, "590257a1", "590257a1"}, Case{28, 28, 32, 32, 32, 32, "0c209273", "0c209273"},
        Case{50, 40, 32, 32, 40, 32, "ee9d7466", "6f5c19ee"}, Case{500, 333, 32, 32, 48, 32, "49eb95e5", "62abe4af"},
        Case{500, 333, 256, 224, 384, 256, "68bc487c", "99da0491"},
        Case{333, 500, 256, 224, 256, 384, "1a6a0eb5", "fb0e9daa"},
        Case{224, 300, 256, 224, 256, 342, "c5e5b30d", "183af3c3"}}) {
    const Bytes file = encode_png(synthetic(c.width, c.height));
    EXPECT_EQ(crc(run(shorter_side(c.side, c.resized_height, c.resized_width), file)), c.resized);
    EXPECT_EQ(crc(run(shorter_side(c.side, c.crop, c.crop), file)), c.cropped);
  }
}

TEST(ImagePipeline, GivesTheSameForAFileWhateverCameBefore) {
  ImagePipeline pipeline(shorter_side(32, 32, 32));
  const std::vector<Bytes> files{encode_png(synthetic(500, 33)), encode_jpeg(synthetic(40, 70), 80),
                                 encode_png(synthetic(1, 1)), encode_jpeg(synthetic(300, 200), 95)};
  std::vector<Bytes> alone;
  for (const Bytes& file : files) alone.push_back(run(shorter_side(32, 32, 32), file));
  Bytes out(32 * 32 * 3);
  for (std::size_t i = 0; i < 16; ++i) {
    pipeline.run(files[i * 7 % 4], out);
    EXPECT_EQ(out, alone[i * 7 % 4]);
    EXPECT_THROW(pipeline.run(Bytes{1, 2, 3}, out), Error);
  }
}

TEST(ImagePipeline, MovesWithItsState) {
  ImagePipeline first(shorter_side(8, 8, 8));
  ImagePipeline second(std::move(first));
  Bytes out(8 * 8 * 3);
  second.run(encode_png(synthetic(8, 8)), out);
  EXPECT_EQ(out, synthetic(8, 8).bytes);
}

}  // namespace
}  // namespace nearfar
