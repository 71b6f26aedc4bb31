/// Streamed batches against resident ones, on the same images.
#include "engine/streamed_batches.h"

#include "base/files.h"
#include "data/image_set.h"
#include "pixels/decode.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <numeric>

namespace nearfar {
namespace {

constexpr std::int64_t kImages = 22, kSide = 16;

struct Made {
  Made() {
    std::string list;
    for (int i = 0; i < kImages; ++i) {
      RgbImage image{.width = kSide, .height = kSide, .bytes = {}};
      for (int at = 0; at < kSide * kSide * 3; ++at)
        image.bytes.push_back(static_cast<std::uint8_t>((at * (i + 7)) / 3 + i));
      const std::vector<std::uint8_t> file = encode_png(image);
      write(fmt::format("{}.png", i), {file.begin(), file.end()});
      list += fmt::format("{}.png {}\n", i, i % 3);
    }
    write("train.txt", list);
    write("test.txt", "0.png 0\n");
    write("b.toml",
          "classes = [\"a\", \"b\", \"c\"]\n[image]\nchannels = 3\nheight = 16\nwidth = 16\nresize = 16\n"
          "mean = [0.5, 0.4, 0.3]\nstd = [0.2, 0.25, 0.3]\n[root.r]\nfolder = \".\"\nin_data_root = \".\"\n"
          "[[set]]\nname = \"train\"\nlist = \"train.txt\"\nimages = \".\"\n"
          "[[set]]\nname = \"test\"\nlist = \"test.txt\"\nimages = \".\"\n");
    benchmark = load_benchmark((folder.path() / "b.toml").string(), {});
    options.data_root = folder.path();
    options.threads = 2;
    set = load_set(benchmark, "train", options);
    view = {set.pixels, set.labels, set.count, 3, kSide, kSide, benchmark.mean, benchmark.std};
  }
  void write(const char* name, const std::string& bytes) const { write_file_atomic(folder.path() / name, bytes); }
  void write(const std::string& name, const std::string& bytes) const { write(name.c_str(), bytes); }

  std::unique_ptr<StreamedBatches> streamed(const AugmentRecipe& recipe, std::int64_t batch) const {
    TrainStreamOptions stream;
    stream.recipe = recipe;
    stream.seed = 5;
    stream.batch = batch;
    return std::make_unique<StreamedBatches>(std::make_unique<TrainStream>(benchmark, "train", options, stream),
                                             recipe.views, benchmark.mean, benchmark.std, at::kCPU, seen);
  }

  TempDir folder;
  Benchmark benchmark;
  LoadOptions options;
  ImageSet set;
  ImageView view;
  mutable FaultyImages seen = {};
};

TEST(StreamedBatches, AreTheResidentOnes) {
  const Made made;
  std::vector<std::int64_t> order(kImages);
  std::iota(order.rbegin(), order.rend(), 0);
  for (const AugmentRecipe& recipe :
       {AugmentRecipe{.shift = 2, .flip = true},
        AugmentRecipe{.views = 2, .smallest_crop = 0.3, .flip = true, .jitter = {.hue = 0.1}, .jitter_share = 0.5}}) {
    const auto streamed = made.streamed(recipe, 8);
    const auto resident = resident_batches(made.view, recipe, 5, at::kCPU);
    for (const std::int64_t done : {0, 8}) {
      streamed->begin_epoch(3, order, done);
      resident->begin_epoch(3, order, done);
      std::vector<std::int64_t> parts{3, 5, 6};  // a batch in two parts, and what is left of an epoch
      if (done == 0) parts.insert(parts.begin(), 8);
      for (const std::int64_t size : parts) {
        const Batch a = streamed->next(size), b = resident->next(size);
        EXPECT_TRUE(a.images.equal(b.images)) << size;
        EXPECT_EQ(a.images.strides(), b.images.strides());
        EXPECT_TRUE(a.labels.equal(b.labels)) << size;
      }
    }
    EXPECT_TRUE(made.seen.unreadable.empty() && made.seen.damaged.empty());
  }
}

TEST(StreamedBatches, RememberImagesThatCannotBeUsed) {
  Made made;
  made.options.on_unreadable = OnUnreadable::skip;
  made.options.identity = DataIdentity::stat;
  made.write("4.png", "no image");
  std::vector<std::int64_t> order(kImages);
  std::iota(order.begin(), order.end(), 0);
  const auto batches = made.streamed({.flip = true}, kImages);
  for (const std::int64_t epoch : {0, 1}) {
    batches->begin_epoch(epoch, order, 0);
    EXPECT_EQ(batches->next(kImages).labels.const_data_ptr<std::int64_t>()[4], 5 % 3);
  }
  EXPECT_EQ(made.seen.unreadable, (std::set<std::int64_t>{4}));
}

}  // namespace
}  // namespace nearfar
