/// The stream of training images (harness/data) against nearfar::augment on the decoded set: to the byte.
#include "data/train_stream.h"

#include "base/files.h"
#include "image_sets.h"
#include "kernels/augment.h"
#include "pixels/decode.h"

#include <ATen/ops/from_blob.h>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <numeric>

namespace nearfar {
namespace {

constexpr std::int64_t kImages = 30, kSide = 32;

/// Random images of the set's size as PNG files, and as one tensor.
struct Files {
  Files() : images(kImages, 3, kSide, kSide, 8) {
    std::string list, toml =
                          "classes = [\"a\"]\n[image]\nchannels = 3\nheight = 32\nwidth = 32\nresize = 32\n"
                          "mean = [0.5, 0.5, 0.5]\nstd = [0.2, 0.2, 0.2]\n[root.r]\nfolder = \".\"\n"
                          "in_data_root = \".\"\n";
    const auto* pixels = images.pixels.const_data_ptr<std::uint8_t>();
    constexpr std::ptrdiff_t kBytes = kSide * kSide * 3;
    for (std::ptrdiff_t i = 0; i < kImages; ++i) {
      const std::vector<std::uint8_t> file =
          encode_png({.width = kSide, .height = kSide, .bytes = {pixels + i * kBytes, pixels + (i + 1) * kBytes}});
      write_file_atomic(folder.path() / fmt::format("{}.png", i),
                        {reinterpret_cast<const char*>(file.data()), file.size()});
      list += fmt::format("{}.png 0\n", i);
    }
    for (const char* name : {"train", "test"}) {
      toml += fmt::format("[[set]]\nname = \"{0}\"\nlist = \"{0}.txt\"\nimages = \".\"\n", name);
      write_file_atomic(folder.path() / fmt::format("{}.txt", name), name[1] == 'r' ? list : "0.png 0\n");
    }
    write_file_atomic(folder.path() / "b.toml", toml);
  }
  TempDir folder;
  testing::ImageSet images;
};

TEST(TrainStream, GivesTheBytesOfTheAugmentOperator) {
  const Files files;
  const Benchmark benchmark = load_benchmark((files.folder.path() / "b.toml").string(), {});
  std::vector<float> bytes(3 * 256);
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<float>(i % 256);
  const at::Tensor table = at::from_blob(bytes.data(), {3, 256}, at::kFloat);
  std::vector<std::int64_t> order(kImages);
  std::iota(order.rbegin(), order.rend(), 0);
  const Jitter jitter{0.4, 0.4, 0.4, 0.1};
  for (const AugmentRecipe& recipe :
       {AugmentRecipe{.views = 1, .shift = 4, .flip = true},
        AugmentRecipe{
            .views = 2, .smallest_crop = 0.2, .flip = true, .jitter = jitter, .jitter_share = 0.8, .gray_share = 0.2},
        AugmentRecipe{.views = 3, .shift = 1, .jitter = jitter, .jitter_share = 1}}) {
    LoadOptions options;
    options.data_root = files.folder.path();
    options.threads = 2;
    TrainStreamOptions stream_options;
    stream_options.recipe = recipe;
    stream_options.seed = 99;
    stream_options.batch = 7;
    TrainStream stream(benchmark, "train", options, stream_options);
    stream.begin_epoch(6, order, 0);
    std::int64_t done = 0;
    for (TrainSlab slab; stream.next(slab); done += slab.count) {
      const at::Tensor rows = testing::long_tensor({order.begin() + done, order.begin() + done + slab.count});
      const at::Tensor expected = augment(files.images.pixels, rows, table, recipe, 99, 6).permute({0, 2, 3, 1});
      const at::Tensor found =
          at::from_blob(const_cast<std::uint8_t*>(slab.pixels.data()), expected.sizes(), at::kByte);
      EXPECT_TRUE(found.toType(at::kFloat).equal(expected)) << recipe.views << " views, images from " << done;
    }
    EXPECT_EQ(done, kImages);
  }
}

}  // namespace
}  // namespace nearfar
