/// The 32 images of the golden set in all pipelines of OpenOOD's evaluation, against Pillow's and torchvision's pixels.
#include "base/error.h"
#include "pixels_files.h"
#include "support/golden.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <algorithm>

namespace nearfar {
namespace {

using nlohmann::json;
using testing::crc;
using testing::run;
using testing::shorter_side;

TEST(GoldenImages, HaveTheChecksumsOfPillowAndTorchvision) {
  const auto folder = testing::golden("pixels/preproc.json");
  if (!folder) GTEST_SKIP() << "no pixels/preproc.json in the golden data: set NEARFAR_GOLDEN";
  const json data = json::parse(read_file(*folder));
  int compared = 0;
  for (const json& image : data["images"]) {
    const auto name = image["file"].get<std::string>();
    const testing::Bytes file = testing::file_bytes(folder->parent_path() / "images" / name);
    const auto format = image_format(file);
    RgbImage rgb;
    if (format == ImageFormat::webp && !webp_supported()) {
      EXPECT_THROW(decode_image(file, rgb), Error) << name;
      continue;
    }
    decode_image(file, rgb);
    EXPECT_EQ(rgb.width, image["rgb_size_wh"][0]) << name;
    EXPECT_EQ(rgb.height, image["rgb_size_wh"][1]) << name;
    EXPECT_EQ(crc(rgb.bytes), image["rgb_crc32"]) << name;
    for (const auto& [pipeline, expected] : image["pipelines"].items()) {
      ++compared;
      if (!expected.contains("crop_wh")) {  // imagenet_c: images as they are stored
        const Preprocess stored{.resize = Preprocess::Resize::none, .height = rgb.height, .width = rgb.width};
        EXPECT_EQ(expected["shape"], json({3, rgb.height, rgb.width}));
        EXPECT_EQ(run(stored, file), rgb.bytes) << name;
        continue;
      }
      const std::int64_t width = expected["resized_wh"][0], height = expected["resized_wh"][1],
                         side = std::min(width, height);
      EXPECT_EQ(crc(run(shorter_side(side, expected["crop_wh"][1], expected["crop_wh"][0]), file)),
                expected["crop_crc32"])
          << name << pipeline;
      EXPECT_EQ(crc(run(shorter_side(side, height, width), file)), expected["resized_crc32"]) << name << pipeline;
    }
  }
  EXPECT_GE(compared, 31 * 6);
}

}  // namespace
}  // namespace nearfar
