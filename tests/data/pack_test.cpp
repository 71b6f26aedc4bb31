#include "data/pack.h"

#include "data/listed_set.h"
#include "data/pack_format.h"
#include "data/pack_writer.h"
#include "made_images.h"

#include <sys/resource.h>

#include <csignal>

namespace nearfar {
namespace {

using namespace testing;
namespace fs = std::filesystem;

class PackTest : public MadeImages {
 protected:
  PackReport pack(const Benchmark& benchmark, std::int64_t chunk_images = 3) {
    return pack_set(benchmark, "train", options_, {.chunk_images = chunk_images, .progress = {}, .should_stop = {}});
  }
  /// Packs and is asked to stop after `chunks`.
  std::string break_off(const Benchmark& benchmark, int chunks) {
    return refusal(ErrorKind::interrupted, [&] {
      pack_set(benchmark, "train", options_,
               {.chunk_images = 3, .progress = {}, .should_stop = [&] { return --chunks == 0; }});
    });
  }
  std::optional<PackedSet> find(const Benchmark& benchmark) {
    LoadOptions elsewhere = options_;
    elsewhere.packed = folder_.path() / "none";
    const ListedSet set = open_listed_set(benchmark, "train", elsewhere);
    return PackedSet::find(packed_folder(benchmark, options_), set.list_hash, preprocess_id(set.preprocess));
  }
  /// Every image as it was made.
  void expect_right(const Benchmark& benchmark, int count) {
    const std::optional<PackedSet> packed = find(benchmark);
    ASSERT_TRUE(packed);
    ASSERT_EQ(packed->count(), count);
    for (int i = 0; i < count; ++i) {
      const auto row = packed->rows(i, i + 1);
      EXPECT_EQ(std::vector<std::uint8_t>(row.begin(), row.end()), made_pixels(i)) << "image " << i;
      EXPECT_EQ(packed->files()[static_cast<std::size_t>(i)].size, static_cast<std::int64_t>(made_png(i).size()));
    }
  }
  /// Without the syncs of write_file_atomic.
  static void rewrite(const fs::path& file, const std::string& content) {
    std::ofstream(file, std::ios::binary) << content;
  }
  std::vector<std::string> files() {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(folder_.path() / "packed"))
      names.push_back(entry.path().extension().string());
    std::sort(names.begin(), names.end());
    return names;
  }
};

TEST_F(PackTest, HoldsThePreprocessedPixelsAndTheFileSizes) {
  const Benchmark benchmark = made_benchmark(10, 2, 0, 0);
  EXPECT_FALSE(find(benchmark));
  std::vector<std::int64_t> progress;
  const PackReport report = pack_set(benchmark, "train", options_,
                                     {.chunk_images = 3,
                                      .progress =
                                          [&](std::int64_t done, std::int64_t total) {
                                            EXPECT_EQ(total, 10);
                                            progress.push_back(done);
                                          },
                                      .should_stop = {}});
  EXPECT_EQ(report.images, 10);
  EXPECT_EQ(report.bytes, static_cast<std::int64_t>(fs::file_size(report.file)));
  EXPECT_EQ(report.bytes % 4096, static_cast<std::int64_t>(10 * kImageBytes) % 4096);  // the pixels begin at a page
  EXPECT_EQ(progress, (std::vector<std::int64_t>{0, 3, 6, 9, 10}));
  EXPECT_EQ(files(), (std::vector<std::string>{".nfpack"}));
  expect_right(benchmark, 10);
  EXPECT_TRUE(pack(benchmark).already_there);
}

TEST_F(PackTest, TheFileDoesNotDependOnThreads) {
  const Benchmark benchmark = made_benchmark(40, 2, 0, 0);
  const std::string one = read_file(pack(benchmark).file);
  options_.packed = folder_.path() / "other";
  options_.threads = 7;
  EXPECT_EQ(read_file(pack(benchmark).file), one);
}

TEST_F(PackTest, GoesOnAfterTheLastFinishedChunk) {
  const Benchmark benchmark = made_benchmark(10, 2, 0, 0);
  const std::string text = break_off(benchmark, 2);
  EXPECT_NE(text.find("6 of 10"), std::string::npos) << text;
  EXPECT_EQ(files(), (std::vector<std::string>{".journal", ".part"}));
  EXPECT_FALSE(find(benchmark)) << "nothing half-valid";
  EXPECT_EQ(pack(benchmark).resumed, 6);
  EXPECT_EQ(files(), (std::vector<std::string>{".nfpack"}));
  expect_right(benchmark, 10);
}

TEST_F(PackTest, ABrokenJournalCostsOnlyWhatItNoLongerProves) {
  const Benchmark benchmark = made_benchmark(10, 2, 0, 0);
  for (int cut = 1; cut < 400; cut += 37) {
    break_off(benchmark, 3);
    for (const auto& entry : fs::directory_iterator(folder_.path() / "packed")) {
      if (entry.path().extension() != ".journal") continue;
      const auto size = static_cast<std::int64_t>(fs::file_size(entry.path()));
      fs::resize_file(entry.path(), static_cast<std::uintmax_t>(std::max<std::int64_t>(0, size - cut)));
    }
    EXPECT_LE(pack(benchmark).resumed, 9);
    expect_right(benchmark, 10);
    fs::remove_all(folder_.path() / "packed");
  }
}

TEST_F(PackTest, StartsOverWhereTheJournalSpeaksOfPixelsThatAreNotThere) {
  const Benchmark benchmark = made_benchmark(10, 2, 0, 0);
  break_off(benchmark, 2);
  for (const auto& entry : fs::directory_iterator(folder_.path() / "packed")) {
    if (entry.path().extension() != ".part") continue;
    const auto size = fs::file_size(entry.path());
    fs::resize_file(entry.path(), 0);
    fs::resize_file(entry.path(), size);
  }
  EXPECT_EQ(pack(benchmark).resumed, 0);
  expect_right(benchmark, 10);
}

TEST_F(PackTest, AFileThatChangedSinceIsPackedAgain) {
  const Benchmark benchmark = made_benchmark(10, 2, 0, 0);
  break_off(benchmark, 3);
  write("images/train_made/0004.png", made_png(4) + "a longer file");
  EXPECT_EQ(pack(benchmark).resumed, 3);  // the chunk of image 4 and what follows are made again
}

TEST_F(PackTest, AnUnreadableImageIsAnErrorEvenWithSkip) {
  const Benchmark benchmark = made_benchmark(10, 2, 0, 0);
  write("images/train_made/0007.png", "no image");
  options_.on_unreadable = OnUnreadable::skip;
  const std::string text = refusal(ErrorKind::data, [&] { pack(benchmark); });
  EXPECT_TRUE(text.starts_with("lists/train_made.txt:8: images/train_made/0007.png: ")) << text;
  write("images/train_made/0007.png", made_png(7));
  EXPECT_EQ(pack(benchmark).resumed, 6);
  expect_right(benchmark, 10);
}

TEST_F(PackTest, ASecondPackerIsRefusedAndHarmsNothing) {
  const Benchmark benchmark = made_benchmark(10, 2, 0, 0);
  std::string text;
  pack_set(benchmark, "train", options_, {.chunk_images = 3, .progress = {}, .should_stop = [&] {
                                            text = refusal(ErrorKind::data, [&] { pack(benchmark); });
                                            return false;
                                          }});
  EXPECT_NE(text.find("another process packs this set now"), std::string::npos) << text;
  expect_right(benchmark, 10);
}

TEST_F(PackTest, AFullDiskLeavesNothingHalfValid) {
  const Benchmark benchmark = made_benchmark(40, 2, 0, 0);
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  rlimit small = before;
  small.rlim_cur = 8192;
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  const std::string text = refusal(ErrorKind::data, [&] { pack(benchmark); });
  setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);
  EXPECT_NE(text.find("make room"), std::string::npos) << text;
  EXPECT_FALSE(find(benchmark));
  pack(benchmark);
  expect_right(benchmark, 40);
}

TEST_F(PackTest, ATruncatedCopyIsRefusedAtEveryLength) {
  const Benchmark benchmark = made_benchmark(10, 2, 0, 0);
  const fs::path file = pack(benchmark).file;
  const std::string whole = read_file(file);
  for (std::size_t size = 0; size < whole.size(); size += size < 512 ? 1 : 61) {
    rewrite(file, whole.substr(0, size));
    const std::string text = refusal(ErrorKind::data, [&] { find(benchmark); });
    EXPECT_TRUE(text.starts_with("packed/")) << text;
    EXPECT_NE(text.find("remove it and pack again"), std::string::npos) << text;
  }
  rewrite(file, whole + "x");
  EXPECT_THROW(find(benchmark), Error);
}

TEST_F(PackTest, AFlippedByteIsRefusedWhereverItIs) {
  const Benchmark benchmark = made_benchmark(10, 2, 0, 0);
  const fs::path file = pack(benchmark).file;
  const std::string whole = read_file(file);
  const std::size_t tables = sizeof(PackHeader) + 8 * 10 + 8 * 4;
  for (std::size_t at = 0; at < whole.size(); at += at < tables ? 1 : 97) {
    if (at >= tables && at < 4096) continue;  // padding
    std::string bad = whole;
    bad[at] = static_cast<char>(bad[at] ^ 0x10);
    rewrite(file, bad);
    EXPECT_THROW(
        {
          if (const std::optional<PackedSet> packed = find(benchmark)) packed->rows(0, packed->count());
        },
        Error)
        << "byte " << at;
  }
}

TEST_F(PackTest, OnlyTheChunksThatAreTouchedAreCompared) {
  const Benchmark benchmark = made_benchmark(10, 2, 0, 0);
  const fs::path file = pack(benchmark).file;
  std::string bad = read_file(file);
  bad.back() = static_cast<char>(bad.back() ^ 1);
  rewrite(file, bad);
  const std::optional<PackedSet> packed = find(benchmark);
  EXPECT_EQ(packed->rows(0, 9).size(), 9 * kImageBytes);
  const std::string text = refusal(ErrorKind::data, [&] { packed->rows(8, 10); });
  EXPECT_NE(text.find("images 10 to 10"), std::string::npos) << text;
}

TEST_F(PackTest, HeadersWithHugeNumbersAreRefusedBeforeAnythingIsAllocated) {
  const Benchmark benchmark = made_benchmark(10, 2, 0, 0);
  const fs::path file = pack(benchmark).file;
  const std::string whole = read_file(file);
  for (std::size_t field = 8; field < 56; field += 8) {
    for (const std::int64_t value :
         {std::int64_t{0}, std::int64_t{-1}, std::int64_t{1} << 40, std::numeric_limits<std::int64_t>::max()}) {
      std::string bad = whole;
      std::memcpy(bad.data() + field, &value, sizeof value);
      rewrite(file, bad);
      EXPECT_THROW(find(benchmark), Error) << field << " " << value;
    }
  }
}

TEST_F(PackTest, ACopyOfAnotherListIsNotTaken) {
  const Benchmark benchmark = made_benchmark(10, 10, 0, 0);
  const fs::path train = pack(benchmark).file;
  const fs::path test = pack_set(benchmark, "test", options_).file;
  ASSERT_NE(train, test);
  fs::rename(test, train);
  EXPECT_FALSE(find(benchmark));
}

TEST_F(PackTest, TheFolderIsTheOptionThenTheVariableThenTheDataRoot) {
  const Benchmark benchmark = made_benchmark(2, 2, 0, 0);
  EXPECT_EQ(packed_folder(benchmark, options_), folder_.path() / "packed");
  EXPECT_EQ(packed_folder(benchmark, {}), benchmark.base / "data/packed");
  setenv("NEARFAR_DATA", folder_.path().c_str(), 1);
  EXPECT_EQ(packed_folder(benchmark, {}), folder_.path() / "packed");
  setenv("NEARFAR_PACKED", "/there", 1);
  EXPECT_EQ(packed_folder(benchmark, options_), fs::path("/there"));
  options_.packed = "/here";
  EXPECT_EQ(packed_folder(benchmark, options_), fs::path("/here"));
  for (const char* name : {"NEARFAR_DATA", "NEARFAR_PACKED"}) unsetenv(name);
}

TEST_F(PackTest, SetsInMemoryHaveNothingToPack) {
  const Benchmark benchmark = load_benchmark(write("g.toml", R"(classes = ["a"]
[image]
height = 4
width = 4
mean = [0.5]
std = [0.2]
[source.g]
type = "shapes"
pattern = "blobs"
kinds = 1
size = 4
[[set]]
name = "train"
source = "g"
classes = [0]
first_per_class = 2
count = 2
[[set]]
name = "test"
source = "g"
classes = [0]
skip_per_class = 2
count = 2
)")
                                                 .string(),
                                             {});
  EXPECT_NE(refusal(ErrorKind::config, [&] { pack(benchmark); }).find("nothing to pack"), std::string::npos);
}

}  // namespace
}  // namespace nearfar
