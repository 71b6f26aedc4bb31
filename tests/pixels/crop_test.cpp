#include "pixels/crop.h"

#include "base/error.h"
#include "pixels/preprocess.h"
#include "pixels_files.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>

namespace nearfar {
namespace {

using testing::Bytes;
using testing::synthetic;

/// The rectangle as an image of its own.
RgbImage cut(const RgbImage& image, const CropBox& box) {
  RgbImage out{box.width, box.height, {}};
  for (std::int64_t y = box.top; y < box.top + box.height; ++y) {
    const auto row = image.bytes.begin() + (y * image.width + box.left) * 3;
    out.bytes.insert(out.bytes.end(), row, row + box.width * 3);
  }
  return out;
}

/// By the evaluation pipeline, which is compared with Pillow elsewhere.
Bytes resized(const RgbImage& image, std::int64_t height, std::int64_t width) {
  return testing::run(testing::exact(height, width, height, width), encode_png(image));
}

RgbImage decoded(const Bytes& file) {
  RgbImage image;
  decode_image(file, image);
  return image;
}

Bytes read_one(CropReader& reader, const Bytes& file, const CropBox& box, std::int64_t bytes, bool reduced = false) {
  Bytes out(static_cast<std::size_t>(bytes));
  reader.open(file);
  const Crop crop{box, out.data()};
  EXPECT_FALSE(reader.read({&crop, 1}, reduced));
  return out;
}

std::vector<CropBox> random_boxes(const ImageSize& size, int count, std::uint32_t seed) {
  std::mt19937 random(seed);
  std::vector<CropBox> boxes{{0, 0, size.width, size.height}, {size.width - 1, size.height - 1, 1, 1}};
  while (static_cast<int>(boxes.size()) < count) {
    CropBox box;
    box.width = 1 + static_cast<std::int64_t>(random()) % size.width;
    box.height = 1 + static_cast<std::int64_t>(random()) % size.height;
    box.left = static_cast<std::int64_t>(random()) % (size.width - box.width + 1);
    box.top = static_cast<std::int64_t>(random()) % (size.height - box.height + 1);
    boxes.push_back(box);
  }
  return boxes;
}

TEST(CropReader, GivesTheBytesOfTheWholeImageCutAndResized) {
  const RgbImage image = synthetic(90, 61);
  for (const Bytes& file : {encode_png(image), encode_jpeg(image, 90)}) {
    const RgbImage whole = decoded(file);
    CropReader reader(24, 32);
    for (const CropBox& box : random_boxes({90, 61}, 40, 5)) {
      SCOPED_TRACE(::testing::Message() << box.width << " x " << box.height << " at " << box.left << "," << box.top);
      const Bytes expected = resized(cut(whole, box), 24, 32);
      EXPECT_EQ(read_one(reader, file, box, 24 * 32 * 3), expected);
      Bytes out(expected.size());
      const Crop crop{box, out.data()};
      reader.read(PixelView{whole.bytes, {90, 61}}, {&crop, 1});
      EXPECT_EQ(out, expected);
    }
  }
}

TEST(CropReader, GivesEachOfSeveralCropsTheBytesThatItHasAlone) {
  const Bytes file = encode_jpeg(synthetic(300, 200), 90);
  CropReader reader(16, 16), alone(16, 16);
  for (const bool reduced : {false, true}) {
    const std::vector<CropBox> boxes = random_boxes({300, 200}, 12, 3);  // of every divisor
    std::vector<Bytes> outs(boxes.size(), Bytes(16 * 16 * 3));
    std::vector<Crop> crops;
    for (std::size_t i = 0; i < boxes.size(); ++i) crops.push_back({boxes[i], outs[i].data()});
    reader.open(file);
    EXPECT_FALSE(reader.read(crops, reduced));
    for (std::size_t i = 0; i < boxes.size(); ++i)
      EXPECT_EQ(outs[i], read_one(alone, file, boxes[i], 16 * 16 * 3, reduced)) << reduced << " " << i;
  }
}

/// Root of the mean squared difference.
double difference(const Bytes& a, const Bytes& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += std::pow(static_cast<double>(a[i]) - b[i], 2);
  return std::sqrt(sum / static_cast<double>(a.size()));
}

TEST(CropReader, ReducedIsNearlyTheSamePictureAndExactlyItWhereNoSideIsTwiceTheResult) {
  // Slopes, as photographs have them: what is left is the rounding of the two ways.
  RgbImage image{401, 299, {}};
  for (std::int64_t y = 0; y < image.height; ++y) {
    for (std::int64_t x = 0; x < image.width; ++x) {
      for (int c = 0; c < 3; ++c)
        image.bytes.push_back(static_cast<std::uint8_t>(128 + 60 * std::sin(static_cast<double>(x) / 40 + c) +
                                                        50 * std::cos(static_cast<double>(y) / 30 - c)));
    }
  }
  const Bytes file = encode_jpeg(image, 95);
  CropReader reader(32, 32);
  for (const CropBox& box : random_boxes({401, 299}, 60, 11)) {
    if (box.width < 8 || box.height < 8) continue;
    const Bytes exact = read_one(reader, file, box, 32 * 32 * 3),
                reduced = read_one(reader, file, box, 32 * 32 * 3, true);
    if (std::min(box.width, box.height) < 64) {
      EXPECT_EQ(reduced, exact);
    } else {
      // A box that is off by half a pixel of the reduced image would differ by about 3.
      EXPECT_LT(difference(reduced, exact), 1.2)
          << box.width << " x " << box.height << " " << box.left << "," << box.top;
    }
  }
}

TEST(CropReader, ReducesWhateverTheWindowToTheSamePixels) {
  // Neighbouring crops of one divisor share the pixels of the reduced image: their windows end elsewhere.
  const Bytes file = encode_jpeg(synthetic(320, 256), 90);
  CropReader whole(128, 160), part(64, 64);
  const Bytes all = read_one(whole, file, {0, 0, 320, 256}, 128 * 160 * 3, true);  // at 1/2, nothing left to resize
  for (const auto& [left, top] : {std::pair{0, 0}, {2, 2}, {64, 34}, {192, 128}}) {
    const RgbImage expected = cut({160, 128, all}, {left / 2, top / 2, 64, 64});
    EXPECT_EQ(read_one(part, file, {left, top, 128, 128}, 64 * 64 * 3, true), expected.bytes) << left << "," << top;
  }
}

TEST(CropReader, TellsThatAFileIsCutOffWhereverTheCropLies) {
  const RgbImage image = synthetic(64, 64);
  CropReader reader(8, 8);
  Bytes out(8 * 8 * 3);
  for (Bytes file : {encode_png(image), encode_jpeg(image, 90)}) {
    file.resize(file.size() * 3 / 4);
    for (const CropBox& box : {CropBox{0, 0, 8, 8}, CropBox{0, 0, 64, 64}, CropBox{50, 60, 4, 4}}) {
      const Crop crop{box, out.data()};
      for (const bool reduced : {false, true}) {
        reader.open(file);
        EXPECT_TRUE(reader.read({&crop, 1}, reduced)) << format_name(image_format(file)) << " " << box.top;
      }
    }
  }
}

TEST(CropReader, RefusesWhatIsNoImageAndGoesOn) {
  CropReader reader(8, 8);
  const Bytes text{'n', 'o', ' ', 'i', 'm', 'a', 'g', 'e'};
  EXPECT_THROW(reader.open(text), Error);
  const RgbImage image = synthetic(8, 8);
  EXPECT_EQ(read_one(reader, encode_png(image), {0, 0, 8, 8}, 8 * 8 * 3), image.bytes);
  EXPECT_THROW(CropReader(0, 8), Error);
  EXPECT_THROW(CropReader(8, 1 << 20), Error);
}

}  // namespace
}  // namespace nearfar
