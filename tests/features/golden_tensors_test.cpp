/// Decoded, resized, cropped and normalised: the float32 tensors of the golden images in OpenOOD's evaluation
/// pipelines, to the bit.
#include "base/error.h"
#include "base/files.h"
#include "models/images.h"
#include "pixels/decode.h"
#include "pixels/preprocess.h"
#include "support/golden.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <zlib.h>

#include <algorithm>
#include <map>

namespace nearfar {
namespace {

using nlohmann::json;

struct Pipeline {
  std::int64_t resize, crop;
  std::vector<double> mean, std;
};

TEST(GoldenTensors, AreTorchvisions) {
  const auto folder = testing::golden("pixels/preproc.json");
  if (!folder) GTEST_SKIP() << "no pixels/preproc.json in the golden data: set NEARFAR_GOLDEN";
  const std::vector<double> mean{0.485, 0.456, 0.406}, deviation{0.229, 0.224, 0.225};
  const std::map<std::string, Pipeline> pipelines{
      {"cifar10", {32, 32, {0.4914, 0.4822, 0.4465}, {0.2470, 0.2435, 0.2616}}},
      {"cifar100", {32, 32, {0.5071, 0.4867, 0.4408}, {0.2675, 0.2565, 0.2761}}},
      {"imagenet", {256, 224, mean, deviation}},
      {"imagenet200", {256, 224, mean, deviation}}};
  const json golden = json::parse(read_file(*folder));
  int compared = 0;
  for (const json& image : golden["images"]) {
    const std::string file = read_file(folder->parent_path() / "images" / image["file"].get<std::string>());
    const std::span bytes(reinterpret_cast<const std::uint8_t*>(file.data()), file.size());
    if (image_format(bytes) == ImageFormat::unknown || (image_format(bytes) == ImageFormat::webp && !webp_supported()))
      continue;
    for (const auto& [name, pipeline] : pipelines) {
      std::vector<std::uint8_t> pixels(static_cast<std::size_t>(pipeline.crop * pipeline.crop * 3));
      ImagePipeline({.resize = Preprocess::Resize::shorter_side,
                     .side = pipeline.resize,
                     .height = pipeline.crop,
                     .width = pipeline.crop})
          .run(bytes, pixels);
      const std::vector<std::int64_t> label{0};
      const ImageView view{pixels, label, 1, 3, pipeline.crop, pipeline.crop, pipeline.mean, pipeline.std};
      const at::Tensor tensor = test_batch(view, 0, 1).contiguous();
      const uLong crc =
          crc32(0, reinterpret_cast<const Bytef*>(tensor.const_data_ptr<float>()), static_cast<uInt>(tensor.nbytes()));
      EXPECT_EQ(fmt::format("{:08x}", crc), image["pipelines"][name]["tensor_f32_chw_crc32"])
          << image["file"] << ' ' << name;
      ++compared;
    }
  }
  EXPECT_GE(compared, 29 * 4);
}

}  // namespace
}  // namespace nearfar
