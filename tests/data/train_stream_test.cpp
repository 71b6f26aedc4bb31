#include "data/train_stream.h"

#include "data/pack.h"
#include "kernels/augment_body.h"
#include "made_images.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <numeric>
#include <random>

namespace nearfar {
namespace {

using namespace testing;

using Bytes = std::vector<std::uint8_t>;

const AugmentRecipe kShifted{.views = 1, .shift = 2, .flip = true};
const AugmentRecipe kContrastive{.views = 2,
                                 .smallest_crop = 0.2,
                                 .flip = true,
                                 .jitter = {0.4, 0.4, 0.4, 0.1},
                                 .jitter_share = 0.8,
                                 .gray_share = 0.2};

std::vector<std::int64_t> shuffled(std::int64_t count, std::uint32_t seed) {
  std::vector<std::int64_t> order(static_cast<std::size_t>(count));
  std::iota(order.begin(), order.end(), 0);
  std::shuffle(order.begin(), order.end(), std::mt19937(seed));
  return order;
}

/// One view by the kernels' body, pixel by pixel.
Bytes by_the_body(const AugmentRecipe& r, const Bytes& image, std::uint64_t seed, std::int64_t epoch,
                  std::int64_t index, int view) {
  const AugmentJob job{.height = kSide,
                       .width = kSide,
                       .channels = 3,
                       .views = r.views,
                       .seed = seed,
                       .shift = static_cast<std::int32_t>(r.shift),
                       .flip = r.flip,
                       .smallest_crop = static_cast<float>(r.smallest_crop),
                       .brightness = static_cast<float>(r.jitter.brightness),
                       .contrast = static_cast<float>(r.jitter.contrast),
                       .saturation = static_cast<float>(r.jitter.saturation),
                       .hue = static_cast<float>(r.jitter.hue),
                       .jitter_share = static_cast<float>(r.jitter_share),
                       .gray_share = static_cast<float>(r.gray_share)};
  const augmentation::Draw d = augmentation::draw(
      job,
      {seed, static_cast<std::uint64_t>(epoch), static_cast<std::uint64_t>(view), static_cast<std::uint64_t>(index)});
  std::int64_t sum = 0;
  constexpr std::int32_t kArea = kSide * kSide;
  for (std::int32_t at = 0; augment_needs_mean(job, d) && at < kArea; ++at)
    sum += augment_gray(job, d, image.data(), at);
  Bytes out(kImageBytes);
  for (std::int32_t at = 0; at < kArea; ++at) {
    augment_values(job, d, image.data(), sum, at, [&](std::int32_t c, std::int32_t value) {
      out[static_cast<std::size_t>(3 * at + c)] = static_cast<std::uint8_t>(value);
    });
  }
  return out;
}

struct Trained {
  Bytes pixels;  ///< view by view: [views][images], whatever the batches
  std::vector<std::int64_t> labels, unreadable, damaged, counts;
};

class TrainStreamTest : public MadeImages {
 protected:
  TrainStreamOptions stream_of(const AugmentRecipe& recipe, std::int64_t batch) {
    TrainStreamOptions stream;
    stream.recipe = recipe;
    stream.seed = 17;
    stream.batch = batch;
    return stream;
  }

  /// The rest of an epoch.
  static Trained all_of(TrainStream& stream, int views) {
    std::vector<Bytes> by_view(static_cast<std::size_t>(views));
    Trained all;
    for (TrainSlab slab; stream.next(slab);) {
      const std::size_t bytes = static_cast<std::size_t>(slab.count) * kImageBytes;
      EXPECT_EQ(slab.pixels.size(), bytes * by_view.size());
      for (std::size_t v = 0; v < by_view.size(); ++v) {
        const auto from = slab.pixels.subspan(v * bytes, bytes);
        by_view[v].insert(by_view[v].end(), from.begin(), from.end());
      }
      all.labels.insert(all.labels.end(), slab.labels.begin(), slab.labels.end());
      all.unreadable.insert(all.unreadable.end(), slab.unreadable.begin(), slab.unreadable.end());
      all.damaged.insert(all.damaged.end(), slab.damaged.begin(), slab.damaged.end());
      all.counts.push_back(slab.count);
    }
    for (const Bytes& view : by_view) all.pixels.insert(all.pixels.end(), view.begin(), view.end());
    return all;
  }

  Trained epoch_of(const Benchmark& benchmark, const TrainStreamOptions& options, std::int64_t epoch,
                   const std::vector<std::int64_t>& order, std::int64_t done = 0) {
    TrainStream stream(benchmark, "train", options_, options);
    stream.begin_epoch(epoch, order, done);
    return all_of(stream, options.recipe.views);
  }
};

TEST_F(TrainStreamTest, GivesTheBytesOfTheKernelsBodyForImagesOfTheSetsSize) {
  const Benchmark benchmark = made_benchmark(23, 2, 0, 0);
  const std::vector<std::int64_t> order = shuffled(23, 1);
  for (const AugmentRecipe& recipe :
       {AugmentRecipe{}, kShifted, kContrastive, AugmentRecipe{.shift = 9, .flip = true}}) {
    for (const TrainPixels pixels : {TrainPixels::files, TrainPixels::prepared}) {
      for (const std::int64_t epoch : {0, 3}) {
        TrainStreamOptions options = stream_of(recipe, 5);
        options.pixels = pixels;
        const Trained all = epoch_of(benchmark, options, epoch, order);
        EXPECT_EQ(all.counts, (std::vector<std::int64_t>{5, 5, 5, 5, 3}));
        Bytes expected;
        for (int view = 0; view < recipe.views; ++view) {
          for (const std::int64_t index : order) {
            const Bytes one = by_the_body(recipe, made_pixels(static_cast<int>(index)), 17, epoch, index, view);
            expected.insert(expected.end(), one.begin(), one.end());
          }
        }
        EXPECT_EQ(all.pixels, expected) << recipe.views << " views, shift " << recipe.shift;
        for (std::size_t i = 0; i < order.size(); ++i) EXPECT_EQ(all.labels[i], order[i] % 2);
      }
    }
  }
}

TEST_F(TrainStreamTest, ThreadsBatchesAndWhereAnEpochIsTakenUpChangeNothing) {
  const Benchmark benchmark = made_benchmark(120, 2, 0, 0);
  const std::vector<std::int64_t> order = shuffled(120, 2);
  const AugmentRecipe one_view{.smallest_crop = 0.2, .flip = true, .jitter = {.hue = 0.1}, .jitter_share = 0.5};
  const Trained expected = epoch_of(benchmark, stream_of(one_view, 120), 4, order);
  for (const int threads : {1, 2, 7}) {
    options_.threads = threads;
    for (const std::int64_t batch : {1, 16, 50, 1000}) {
      for (const int ahead : {1, 3}) {
        TrainStreamOptions options = stream_of(one_view, batch);
        options.ahead = ahead;
        EXPECT_EQ(epoch_of(benchmark, options, 4, order).pixels, expected.pixels) << threads << " " << batch;
      }
    }
    const Trained rest = epoch_of(benchmark, stream_of(one_view, 16), 4, order, 48);
    EXPECT_TRUE(std::equal(rest.pixels.begin(), rest.pixels.end(),
                           expected.pixels.begin() + 48 * static_cast<std::ptrdiff_t>(kImageBytes)));
    EXPECT_EQ(rest.labels.size(), 72U);
  }
  EXPECT_NE(epoch_of(benchmark, stream_of(one_view, 120), 5, order).pixels, expected.pixels);
}

TEST_F(TrainStreamTest, OneStreamGivesEpochAfterEpochAlsoAfterOneThatWasDropped) {
  const Benchmark benchmark = made_benchmark(40, 2, 0, 0);
  options_.threads = 3;
  TrainStream stream(benchmark, "train", options_, stream_of(kShifted, 6));
  for (const std::int64_t epoch : {0, 1, 2, 3}) {
    const std::vector<std::int64_t> order = shuffled(40, static_cast<std::uint32_t>(epoch));
    stream.begin_epoch(epoch, order, 0);
    TrainSlab slab;
    for (std::int64_t i = 0; i < epoch; ++i) ASSERT_TRUE(stream.next(slab));
    stream.begin_epoch(epoch, order, 0);
    EXPECT_EQ(all_of(stream, 1).pixels, epoch_of(benchmark, stream_of(kShifted, 6), epoch, order).pixels);
    EXPECT_FALSE(stream.next(slab));
  }
  stream.begin_epoch(4, shuffled(40, 0), 40);  // all done
  TrainSlab slab;
  EXPECT_FALSE(stream.next(slab));
}

TEST_F(TrainStreamTest, WritesToTheCallersMemoryAndGivesItBack) {
  const Benchmark benchmark = made_benchmark(20, 2, 0, 0);
  int lent = 0, back = 0;
  std::vector<std::pair<const std::uint8_t*, std::size_t>> blocks;
  TrainStreamOptions options = stream_of(kContrastive, 4);
  options.ahead = 3;
  options.allocate = [&](std::size_t bytes) {
    ++lent;
    auto* memory = new std::uint8_t[bytes];
    blocks.emplace_back(memory, bytes);
    return SlabMemory(memory, [&back](std::uint8_t* given) {
      ++back;
      delete[] given;
    });
  };
  {
    TrainStream stream(benchmark, "train", options_, options);
    EXPECT_EQ(lent, 4);
    EXPECT_EQ(blocks.front().second, 2 * 4 * kImageBytes);
    stream.begin_epoch(0, shuffled(20, 0), 0);
    for (TrainSlab slab; stream.next(slab);) {
      EXPECT_TRUE(
          std::any_of(blocks.begin(), blocks.end(), [&](const auto& b) { return b.first == slab.pixels.data(); }));
    }
    EXPECT_EQ(lent, 4);
  }
  EXPECT_EQ(back, 4);
  options.allocate = [](std::size_t) -> SlabMemory { throw Error(ErrorKind::data, "no pinned memory"); };
  EXPECT_EQ(refusal(ErrorKind::data, [&] { TrainStream(benchmark, "train", options_, options); }), "no pinned memory");
}

TEST_F(TrainStreamTest, NamesTheFirstBadImageInTheOrderAndStaysAtTheError) {
  const Benchmark benchmark = made_benchmark(40, 2, 0, 0);
  write("images/train_made/0033.png", "no image");
  write("images/train_made/0021.png", "no image either");
  std::vector<std::int64_t> order(40);
  std::iota(order.rbegin(), order.rend(), 0);  // 39 … 0: 33 comes before 21
  for (const int threads : {1, 7}) {
    options_.threads = threads;
    TrainStream stream(benchmark, "train", options_, stream_of(kContrastive, 4));
    stream.begin_epoch(0, order, 0);
    TrainSlab slab;
    EXPECT_TRUE(stream.next(slab));
    for (int again = 0; again < 2; ++again) {
      const std::string text = refusal(ErrorKind::data, [&] { stream.next(slab); });
      EXPECT_TRUE(text.starts_with("lists/train_made.txt:34: images/train_made/0033.png: ")) << text;
      EXPECT_NE(text.find("data.on_unreadable=skip"), std::string::npos) << text;
    }
  }
}

TEST_F(TrainStreamTest, SkipPutsTheNextGoodImageInThePlaceOfABadOneAndSaysSo) {
  const Benchmark benchmark = made_benchmark(10, 2, 0, 0);
  write("images/train_made/0003.png", "no image");
  write("images/train_made/0004.png", "no image");
  std::filesystem::remove(folder_.path() / "images/train_made/0009.png");
  options_.on_unreadable = OnUnreadable::skip;
  std::vector<std::int64_t> order(10);
  std::iota(order.begin(), order.end(), 0);
  Bytes expected;
  for (const std::int64_t index : {0, 1, 2, 5, 5, 5, 6, 7, 8, 0}) {
    const Bytes one = by_the_body(kShifted, made_pixels(static_cast<int>(index)), 17, 2, index, 0);
    expected.insert(expected.end(), one.begin(), one.end());
  }
  for (const int threads : {1, 7}) {
    options_.threads = threads;
    for (const std::int64_t batch : {2, 3}) {
      const Trained all = epoch_of(benchmark, stream_of(kShifted, batch), 2, order);
      EXPECT_EQ(all.unreadable, (std::vector<std::int64_t>{3, 4, 9}));
      EXPECT_EQ(all.labels, (std::vector<std::int64_t>{0, 1, 0, 1, 1, 1, 0, 1, 0, 0}));
      EXPECT_EQ(all.pixels, expected);
    }
  }
  for (int i = 0; i < 9; ++i) write(fmt::format("images/train_made/{:04}.png", i), "no image");
  const std::string text = refusal(ErrorKind::data, [&] { epoch_of(benchmark, stream_of(kShifted, 2), 2, order); });
  EXPECT_NE(text.find("no image of the set can be used"), std::string::npos) << text;
}

TEST_F(TrainStreamTest, CountsImagesThatAreCutOff) {
  const Benchmark benchmark = made_benchmark(40, 2, 0, 0);
  for (const int number : {5, 23, 22}) {
    const std::string whole = made_png(number);
    write(fmt::format("images/train_made/{:04}.png", number), whole.substr(0, whole.size() * 2 / 3));
  }
  std::vector<std::int64_t> order(40);
  std::iota(order.begin(), order.end(), 0);
  for (const TrainPixels pixels : {TrainPixels::files, TrainPixels::prepared}) {
    for (const AugmentRecipe& recipe : {kShifted, kContrastive}) {
      TrainStreamOptions options = stream_of(recipe, 8);
      options.pixels = pixels;
      options_.threads = 3;
      EXPECT_EQ(epoch_of(benchmark, options, 0, order).damaged, (std::vector<std::int64_t>{5, 22, 23}));
    }
  }
}

TEST_F(TrainStreamTest, AFileThatChangesWhileTheSetIsInUseEndsIt) {
  const Benchmark benchmark = made_benchmark(10, 2, 0, 0);
  options_.on_unreadable = OnUnreadable::skip;  // not an image to pass over: the set is another one now
  TrainStream stream(benchmark, "train", options_, stream_of(kShifted, 1));
  write("images/train_made/0009.png", made_png(3));
  stream.begin_epoch(0, shuffled(10, 0), 0);
  const std::string text = refusal(ErrorKind::data, [&] { all_of(stream, 1); });
  EXPECT_NE(text.find("0009.png was changed while the set was in use"), std::string::npos) << text;
}

TEST_F(TrainStreamTest, CanBeLeftAtAnyPoint) {
  const Benchmark benchmark = made_benchmark(60, 2, 0, 0);
  options_.threads = 7;
  for (int slabs = 0; slabs < 8; ++slabs) {
    for (int repetition = 0; repetition < 5; ++repetition) {
      TrainStream stream(benchmark, "train", options_, stream_of(kContrastive, 4));
      stream.begin_epoch(0, shuffled(60, 0), 0);
      TrainSlab slab;
      for (int i = 0; i < slabs; ++i) ASSERT_TRUE(stream.next(slab));
    }
  }
}

TEST_F(TrainStreamTest, TakesPreparedPixelsFromAPackedCopyAndFilesFromTheFiles) {
  const Benchmark benchmark = made_benchmark(20, 2, 0, 0);
  const std::vector<std::int64_t> order = shuffled(20, 3);
  TrainStreamOptions prepared = stream_of(kContrastive, 8), files = prepared;
  prepared.pixels = TrainPixels::prepared;
  const Trained before = epoch_of(benchmark, prepared, 1, order);
  pack_set(benchmark, "train", options_);
  EXPECT_EQ(epoch_of(benchmark, files, 1, order).pixels, before.pixels);
  std::filesystem::remove_all(folder_.path() / "images");
  EXPECT_EQ(epoch_of(benchmark, prepared, 1, order).pixels, before.pixels);
  EXPECT_THROW(epoch_of(benchmark, files, 1, order), Error);
}

TEST_F(TrainStreamTest, RefusesRecipesThatAreNone) {
  const Benchmark benchmark = made_benchmark(4, 2, 0, 0);
  const auto refused = [&](const AugmentRecipe& recipe) {
    return refusal(ErrorKind::config, [&] { TrainStream(benchmark, "train", options_, stream_of(recipe, 2)); });
  };
  EXPECT_NE(refused({.shift = 2, .smallest_crop = 0.5}).find("not both"), std::string::npos);
  EXPECT_NE(refused({.views = 0}).find("0 views"), std::string::npos);
  EXPECT_NE(refused({.smallest_crop = 0}).find("smallest crop of 0"), std::string::npos);
  EXPECT_NE(refused({.jitter = {.hue = 0.6}, .jitter_share = 1}).find("0.6"), std::string::npos);
  EXPECT_NE(refused({.gray_share = 1.5}).find("1.5"), std::string::npos);
  EXPECT_THROW(TrainStream(benchmark, "train", options_, stream_of({}, 0)), Error);
}

/// Peak memory of this process in MiB.
double peak_memory() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1024;
}

// 3,000 images of 224 x 224 x 3 would be 430 MiB as a whole; the files are a few that the list repeats.
TEST_F(TrainStreamTest, MemoryDoesNotGrowWithTheSet) {
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
list = "lists/long.txt"
images = "images"
[[set]]
name = "test"
list = "lists/other.txt"
images = "images"
)";
  const Benchmark benchmark = load_benchmark(write("m.toml", toml).string(), {});
  for (int i = 0; i < 10; ++i) write(fmt::format("images/{}.png", i), made_png(i, 224));
  std::string list;
  for (int i = 0; i < 3000; ++i) list += fmt::format("{}.png 0\n", i % 10);
  write("lists/long.txt", list);
  write("lists/other.txt", "0.png 0\n");
  options_.threads = 2;
  TrainStream stream(benchmark, "train", options_, stream_of({.smallest_crop = 0.08, .flip = true}, 32));
  const auto read = [&](std::int64_t epoch, std::int64_t count) {
    stream.begin_epoch(epoch, shuffled(count, 0), 0);
    std::int64_t images = 0;
    for (TrainSlab slab; stream.next(slab);) images += slab.count;
    return images;
  };
  EXPECT_EQ(read(0, 300), 300);
  const double before = peak_memory();
  EXPECT_EQ(read(1, 3000), 3000);
  EXPECT_LT(peak_memory() - before, 16) << "MiB more for ten times as many images; all of them are 430 MiB";
}

}  // namespace
}  // namespace nearfar
