#include "data/train_pack.h"

#include "data/train_stream.h"
#include "made_images.h"
#include "pixels/preprocess.h"

#include <gtest/gtest.h>

#include <numeric>

namespace nearfar {
namespace {

using namespace testing;
using Bytes = std::vector<std::uint8_t>;

/// Images of sizes of their own, as JPEG and PNG; image i is (40 + 7 i) x (60 - 3 i).
class TrainPackTest : public MadeImages {
 protected:
  Benchmark benchmark_of_sizes() {
    const Benchmark benchmark = made_benchmark(6, 2, 0, 0);
    for (int i = 0; i < 6; ++i) write(fmt::format("images/train_made/{:04}.png", i), file_of(i));
    return benchmark;
  }
  static RgbImage picture(int i) {
    RgbImage image{40 + 7 * i, 60 - 3 * i, {}};
    for (std::int64_t at = 0; at < image.width * image.height * 3; ++at)
      image.bytes.push_back(static_cast<std::uint8_t>(at * (i + 3) / 5));
    return image;
  }
  static std::string file_of(int i) {
    const Bytes file = i % 2 == 0 ? encode_png(picture(i)) : encode_jpeg(picture(i), 90);
    return {file.begin(), file.end()};
  }
  ListedSet originals(const Benchmark& benchmark) {
    LoadOptions options = options_;
    options.originals = true;
    return open_listed_set(benchmark, "train", options);
  }
  TrainPack open(const Benchmark& benchmark, std::int64_t side) {
    const ListedSet set = originals(benchmark);
    return TrainPack(train_pack_file(benchmark, options_, set, side), set, side);
  }
};

TEST_F(TrainPackTest, HasTheImagesAsTheEvaluationPipelineResizesThem) {
  const Benchmark benchmark = benchmark_of_sizes();
  options_.threads = 2;
  const PackReport report =
      pack_for_training(benchmark, "train", options_, 42, {.chunk_images = 4, .progress = {}, .should_stop = {}});
  EXPECT_EQ(report.images, 6);
  EXPECT_EQ(report.bytes, static_cast<std::int64_t>(std::filesystem::file_size(report.file)));
  EXPECT_TRUE(pack_for_training(benchmark, "train", options_, 42).already_there);
  const TrainPack pack = open(benchmark, 42);
  // 40 x 60 stays; 47 x 57 becomes 42 x 50 (50.9); 54 x 54, 42 x 42; 61 x 51, 50 (50.2) x 42; 68 x 48, 59 (59.5) x 42;
  // 75 x 45, 70 x 42.
  const std::vector<std::pair<std::int64_t, std::int64_t>> sizes{{40, 60}, {42, 50}, {42, 42},
                                                                 {50, 42}, {59, 42}, {70, 42}};
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    const PixelView view = pack.image(static_cast<std::int64_t>(i));
    EXPECT_EQ(view.size.width, sizes[i].first);
    EXPECT_EQ(view.size.height, sizes[i].second);
    const std::string file = file_of(static_cast<int>(i));
    const Preprocess whole{.resize = Preprocess::Resize::exact,
                           .resize_height = view.size.height,
                           .resize_width = view.size.width,
                           .height = view.size.height,
                           .width = view.size.width};
    Bytes expected(view.pixels.size());
    ImagePipeline(whole).run(Bytes(file.begin(), file.end()), expected);
    EXPECT_EQ(Bytes(view.pixels.begin(), view.pixels.end()), expected) << i;
  }
}

TEST_F(TrainPackTest, TheStreamCutsItsCropsFromIt) {
  const Benchmark benchmark = benchmark_of_sizes();
  pack_for_training(benchmark, "train", options_, 1000);  // nothing is resized: the crops are those of the files
  std::vector<std::int64_t> order(6);
  std::iota(order.begin(), order.end(), 0);
  const auto pixels = [&](TrainPixels from, std::int64_t side) {
    TrainStreamOptions options;
    options.recipe = {.views = 2, .smallest_crop = 0.3, .flip = true};
    options.batch = 6;
    options.pixels = from;
    options.side = side;
    options.exact_decoding = true;
    TrainStream stream(benchmark, "train", options_, options);
    stream.begin_epoch(2, order, 0);
    TrainSlab slab;
    EXPECT_TRUE(stream.next(slab));
    return Bytes(slab.pixels.begin(), slab.pixels.end());
  };
  const Bytes files = pixels(TrainPixels::files, 0);
  EXPECT_EQ(pixels(TrainPixels::short_side, 1000), files);
  pack_for_training(benchmark, "train", options_, 20);
  EXPECT_NE(pixels(TrainPixels::short_side, 20), files);
  const std::string text = refusal(ErrorKind::data, [&] { pixels(TrainPixels::short_side, 30); });
  EXPECT_NE(text.find("--train-side 30"), std::string::npos) << text;
}

TEST_F(TrainPackTest, GoesOnAfterItWasStopped) {
  const Benchmark benchmark = benchmark_of_sizes();
  const std::filesystem::path whole = pack_for_training(benchmark, "train", options_, 42).file;
  const std::string expected = read_file(whole);
  std::filesystem::remove(whole);
  const PackOptions stopping{.chunk_images = 2, .progress = {}, .should_stop = [] { return true; }};
  EXPECT_THROW(pack_for_training(benchmark, "train", options_, 42, stopping), Error);
  EXPECT_THROW(pack_for_training(benchmark, "train", options_, 42, stopping), Error);
  EXPECT_FALSE(std::filesystem::exists(whole));
  EXPECT_EQ(pack_for_training(benchmark, "train", options_, 42, {.chunk_images = 2, .progress = {}, .should_stop = {}})
                .resumed,
            4);
  EXPECT_EQ(read_file(whole), expected);
  EXPECT_FALSE(std::filesystem::exists(whole.string() + ".journal"));
}

TEST_F(TrainPackTest, NoticesDamageAndOtherFiles) {
  const Benchmark benchmark = benchmark_of_sizes();
  const std::filesystem::path file = pack_for_training(benchmark, "train", options_, 42).file;
  std::string bytes = read_file(file);
  const std::string good = bytes;
  bytes[5000] = static_cast<char>(bytes[5000] ^ 1);  // a pixel of the first image
  write_file_atomic(file, bytes);
  const TrainPack pack = open(benchmark, 42);
  EXPECT_NE(refusal(ErrorKind::data, [&] { pack.image(0); }).find("checksum of image 1"), std::string::npos);
  EXPECT_NO_THROW(pack.image(1));
  for (const std::size_t at : {std::size_t{0}, std::size_t{20}, good.size() - 10}) {
    bytes = good;
    bytes[at] = static_cast<char>(bytes[at] ^ 1);
    write_file_atomic(file, bytes);
    EXPECT_NE(refusal(ErrorKind::data, [&] { open(benchmark, 42); }).find("damaged training copy"), std::string::npos)
        << at;
  }
  write_file_atomic(file, good.substr(0, good.size() - 100));
  EXPECT_THROW(open(benchmark, 42), Error);
  write_file_atomic(file, good);
  write("images/train_made/0003.png", file_of(5));
  const std::string text = refusal(ErrorKind::data, [&] { open(benchmark, 42); });
  EXPECT_NE(text.find("0003.png is not the file that was packed"), std::string::npos) << text;
}

TEST_F(TrainPackTest, RefusesAnImageThatCannotBeReadAndOddSides) {
  const Benchmark benchmark = benchmark_of_sizes();
  EXPECT_THROW(pack_for_training(benchmark, "train", options_, 8), Error);
  write("images/train_made/0003.png", "no image");
  options_.on_unreadable = OnUnreadable::skip;
  const std::string text = refusal(ErrorKind::data, [&] { pack_for_training(benchmark, "train", options_, 42); });
  EXPECT_TRUE(text.starts_with("lists/train_made.txt:4: images/train_made/0003.png: ")) << text;
}

}  // namespace
}  // namespace nearfar
