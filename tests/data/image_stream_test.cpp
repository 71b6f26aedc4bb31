#include "data/image_stream.h"

#include "data/pack.h"
#include "made_images.h"

#include <sys/resource.h>

#include <set>

namespace nearfar {
namespace {

using namespace testing;

struct Streamed {
  std::vector<std::uint8_t> pixels;
  std::vector<std::int64_t> unreadable, damaged, slabs;
};

Streamed all_of(ImageStream& stream) {
  Streamed all;
  for (Slab slab; stream.next(slab);) {
    EXPECT_EQ(slab.pixels.size(), static_cast<std::size_t>(slab.count) * kImageBytes);
    all.pixels.insert(all.pixels.end(), slab.pixels.begin(), slab.pixels.end());
    all.unreadable.insert(all.unreadable.end(), slab.unreadable.begin(), slab.unreadable.end());
    all.damaged.insert(all.damaged.end(), slab.damaged.begin(), slab.damaged.end());
    all.slabs.push_back(slab.count);
  }
  return all;
}

std::vector<std::uint8_t> joined(int first, int last) {
  std::vector<std::uint8_t> pixels;
  for (int number = first; number < last; ++number) {
    const std::vector<std::uint8_t> one = made_pixels(number);
    pixels.insert(pixels.end(), one.begin(), one.end());
  }
  return pixels;
}

class ImageStreamTest : public MadeImages {
 protected:
  Streamed streamed(const Benchmark& benchmark, const std::string& set, int threads, std::int64_t slab_images) {
    LoadOptions options = options_;
    options.threads = threads;
    return all_of(*open_stream(benchmark, set, options, slab_images));
  }
};

TEST_F(ImageStreamTest, GivesTheListsImagesInOrderWithTheirLabels) {
  const Benchmark benchmark = made_benchmark(5, 2, 0, 0);
  const auto stream = open_stream(benchmark, "train", options_, 2);
  EXPECT_EQ(stream->info().count, 5);
  EXPECT_EQ(stream->info().labels, (std::vector<std::int64_t>{0, 1, 0, 1, 0}));
  const Streamed all = all_of(*stream);
  EXPECT_EQ(all.slabs, (std::vector<std::int64_t>{2, 2, 1}));
  EXPECT_EQ(all.pixels, joined(0, 5));
  Slab slab;
  EXPECT_FALSE(stream->next(slab));  // and it stays at the end
}

TEST_F(ImageStreamTest, AnyNumberOfThreadsGivesTheSameBytes) {
  const Benchmark benchmark = made_benchmark(150, 2, 0, 0);
  const std::vector<std::uint8_t> expected = joined(0, 150);
  for (const int threads : {1, 2, 7, 64}) {
    for (const std::int64_t slab_images : {1, 3, 64, 1000}) {
      SCOPED_TRACE(fmt::format("{} threads, slabs of {}", threads, slab_images));
      EXPECT_EQ(streamed(benchmark, "train", threads, slab_images).pixels, expected);
    }
  }
}

TEST_F(ImageStreamTest, CanBeLeftAtAnyPoint) {
  const Benchmark benchmark = made_benchmark(60, 2, 0, 0);
  options_.threads = 7;
  for (int slabs = 0; slabs < 8; ++slabs) {
    for (int repetition = 0; repetition < 5; ++repetition) {
      const auto stream = open_stream(benchmark, "train", options_, 4);
      Slab slab;
      for (int i = 0; i < slabs; ++i) ASSERT_TRUE(stream->next(slab));
    }
  }
}

TEST_F(ImageStreamTest, NamesTheFirstBadImageInListOrderWhateverTheThreads) {
  const Benchmark benchmark = made_benchmark(40, 2, 0, 0);
  write("images/train_made/0033.png", "no image");
  write("images/train_made/0021.png", "no image either");
  write("images/train_made/0022.png", "nor this");
  for (const int threads : {1, 2, 7}) {
    for (int repetition = 0; repetition < 10; ++repetition) {
      const std::string text = refusal(ErrorKind::data, [&] { streamed(benchmark, "train", threads, 8); });
      EXPECT_TRUE(text.starts_with("lists/train_made.txt:22: images/train_made/0021.png: ")) << text;
      EXPECT_NE(text.find("data.on_unreadable=skip"), std::string::npos) << text;
    }
  }
}

TEST_F(ImageStreamTest, GivesTheGoodSlabsBeforeTheBadOneAndStaysAtTheError) {
  const Benchmark benchmark = made_benchmark(12, 2, 0, 0);
  write("images/train_made/0009.png", "no image");
  const auto stream = open_stream(benchmark, "train", options_, 4);
  Slab slab;
  EXPECT_TRUE(stream->next(slab));
  EXPECT_TRUE(stream->next(slab));
  EXPECT_THROW(stream->next(slab), Error);
  EXPECT_THROW(stream->next(slab), Error);
}

TEST_F(ImageStreamTest, TellsWhichImagesAreDamagedWhateverTheThreads) {
  const Benchmark benchmark = made_benchmark(40, 2, 0, 0);
  for (const int number : {5, 23, 22}) {
    const std::string whole = made_png(number);
    write(fmt::format("images/train_made/{:04}.png", number), whole.substr(0, whole.size() * 2 / 3));
  }
  for (const int threads : {1, 2, 7})
    EXPECT_EQ(streamed(benchmark, "train", threads, 8).damaged, (std::vector<std::int64_t>{5, 22, 23}));
}

TEST_F(ImageStreamTest, SkipGivesZeroPixelsAndThePositions) {
  const Benchmark benchmark = made_benchmark(10, 2, 0, 0);
  write("images/train_made/0003.png", "no image");
  std::filesystem::remove(folder_.path() / "images/train_made/0008.png");
  options_.on_unreadable = OnUnreadable::skip;
  for (const int threads : {1, 7}) {
    const Streamed all = streamed(benchmark, "train", threads, 4);
    EXPECT_EQ(all.unreadable, (std::vector<std::int64_t>{3, 8}));
    std::vector<std::uint8_t> expected = joined(0, 10);
    for (const std::ptrdiff_t bad : {3, 8}) {
      const auto first = expected.begin() + bad * static_cast<std::ptrdiff_t>(kImageBytes);
      std::fill(first, first + kImageBytes, std::uint8_t{0});
    }
    EXPECT_EQ(all.pixels, expected);
  }
}

TEST_F(ImageStreamTest, ALimitTakesTheClassesInEqualParts) {
  const Benchmark benchmark = made_benchmark(10, 2, 0, 0);
  options_.limit = 4;
  EXPECT_EQ(streamed(benchmark, "train", 2, 3).pixels, joined(0, 4));
}

TEST_F(ImageStreamTest, UsesAPackedCopyByItself) {
  const Benchmark benchmark = made_benchmark(10, 2, 0, 0);
  pack_set(benchmark, "train", options_, {.chunk_images = 3, .progress = {}, .should_stop = {}});
  EXPECT_EQ(streamed(benchmark, "train", 1, 4).pixels, joined(0, 10));
  std::filesystem::remove_all(folder_.path() / "images");  // the originals are not needed any more
  EXPECT_EQ(streamed(benchmark, "train", 3, 4).pixels, joined(0, 10));
}

TEST_F(ImageStreamTest, RefusesAPackedCopyOfOtherFiles) {
  const Benchmark benchmark = made_benchmark(10, 2, 0, 0);
  pack_set(benchmark, "train", options_);
  write("images/train_made/0004.png", made_png(4) + "longer");
  const std::string text = refusal(ErrorKind::data, [&] { streamed(benchmark, "train", 1, 4); });
  EXPECT_TRUE(text.starts_with("lists/train_made.txt:5: images/train_made/0004.png is not the file that was packed"))
      << text;
  EXPECT_NE(text.find("remove it and pack again"), std::string::npos) << text;
}

TEST_F(ImageStreamTest, RefusesAPackedCopyOfAnExchangedFileOfTheSameSize) {
  const Benchmark benchmark = made_benchmark(10, 2, 0, 0);
  pack_set(benchmark, "train", options_);
  const std::string before = describe_set(benchmark, "train", options_).hash;
  std::string other = made_png(4);
  other[other.size() / 2] = static_cast<char>(other[other.size() / 2] ^ 1);
  write("images/train_made/0004.png", other);
  EXPECT_NE(refusal(ErrorKind::data, [&] { describe_set(benchmark, "train", options_); })
                .find("images/train_made/0004.png is not the file that was packed"),
            std::string::npos);
  write("images/train_made/0004.png", made_png(4));  // another time of change, the same contents
  EXPECT_EQ(describe_set(benchmark, "train", options_).hash, before);
  EXPECT_EQ(streamed(benchmark, "train", 1, 4).pixels, joined(0, 10));
}

TEST_F(ImageStreamTest, ThePackedCopyAndItsFilesAreTheSameSet) {
  const Benchmark benchmark = made_benchmark(10, 2, 0, 0);
  const std::string before = describe_set(benchmark, "train", options_).hash;
  pack_set(benchmark, "train", options_);
  EXPECT_EQ(describe_set(benchmark, "train", options_).hash, before);
  std::filesystem::remove_all(folder_.path() / "images");
  EXPECT_EQ(describe_set(benchmark, "train", options_).hash, before);
}

TEST_F(ImageStreamTest, AFileThatChangesWhileTheSetIsInUseEndsIt) {
  const Benchmark benchmark = made_benchmark(10, 2, 0, 0);
  options_.threads = 1;
  options_.on_unreadable = OnUnreadable::skip;  // not an image to pass over: the set is another one now
  const auto stream = open_stream(benchmark, "train", options_, 1);
  write("images/train_made/0009.png", made_png(3));
  Slab slab;
  EXPECT_NE(refusal(ErrorKind::data,
                    [&] {
                      while (stream->next(slab)) continue;
                    })
                .find("0009.png was changed while the set was in use"),
            std::string::npos);
}

TEST_F(ImageStreamTest, LendsTheSlabsOfGeneratedImages) {
  const Benchmark benchmark = load_benchmark(write("g.toml", R"(classes = ["a", "b"]
[image]
height = 8
width = 24
mean = [0.5]
std = [0.2]
[source.g]
type = "shapes"
pattern = "gratings"
kinds = 2
size = 20
[source.n]
type = "shapes"
pattern = "gratings"
kinds = 2
size = 4
seed = 9
[[set]]
name = "train"
source = "g"
classes = [0, 1]
count = 20
[[set]]
name = "test"
source = "n"
classes = [0, 1]
count = 4
)")
                                                 .string(),
                                             {});
  const ImageSet set = load_set(benchmark, "train");
  EXPECT_EQ(streamed(benchmark, "train", 3, 7).pixels, set.pixels);
  const auto stream = open_stream(benchmark, "train", {}, 7);
  EXPECT_EQ(stream->info().labels, set.labels);
  EXPECT_EQ(stream->info().hash, set.hash);
  EXPECT_EQ(stream->info().expected, 20);
  options_.limit = 6;
  const auto limited = open_stream(benchmark, "train", options_, 7);
  EXPECT_EQ(limited->info().count, 6);
  EXPECT_EQ(limited->info().available, 20);
}

/// Peak memory of this process in MiB.
double peak_memory() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1024;
}

// 1,500 and then 15,000 images of 224 x 224 x 3 would be 215 MiB and 2.1 GiB as a whole; the files are a few that the
// lists repeat.
TEST_F(ImageStreamTest, MemoryDoesNotGrowWithTheList) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "sanitizers keep freed memory";
#endif
  const std::string toml = R"(classes = ["a"]
[image]
channels = 3
height = 224
width = 224
resize = 224
mean = [0.5, 0.5, 0.5]
std = [0.2, 0.2, 0.2]
[root.r]
folder = "data"
in_data_root = "."
[[set]]
name = "train"
list = "lists/short.txt"
images = "images"
[[set]]
name = "test"
list = "lists/long.txt"
images = "images"
)";
  const Benchmark benchmark = load_benchmark(write("m.toml", toml).string(), {});
  for (int i = 0; i < 10; ++i) write(fmt::format("images/{}.png", i), made_png(i, 224));
  std::string once;
  for (int i = 0; i < 300; ++i) once += fmt::format("{}.png 0\n", i % 10);
  write("lists/short.txt", once);
  std::string often;
  for (int i = 0; i < 10; ++i) often += once;
  write("lists/long.txt", often);

  const auto read_all = [&](const std::string& set) {
    options_.threads = 2;
    const auto stream = open_stream(benchmark, set, options_, 32);
    std::int64_t images = 0;
    for (Slab slab; stream->next(slab);) images += slab.count;
    return images;
  };
  EXPECT_EQ(read_all("train"), 300);
  const double before = peak_memory();
  EXPECT_EQ(read_all("test"), 3000);
  EXPECT_LT(peak_memory() - before, 16) << "MiB more for ten times as many images; all of them are 430 MiB";
  pack_set(benchmark, "test", options_);
  const double packed = peak_memory();
  EXPECT_EQ(read_all("test"), 3000);
  EXPECT_LT(peak_memory() - packed, 64) << "MiB of the packed copy's 430 stay in the process";
}

}  // namespace
}  // namespace nearfar
