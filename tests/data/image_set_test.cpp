#include "data/image_set.h"

#include "data_files.h"

#include <cstdlib>
#include <set>

namespace nearfar {
namespace {

using namespace testing;

/// Twelve images of 1 x 2 pixels, image i = {i, 100 + i}; labels 0 1 2 3 in turn. Classes 2 and 0 are ID, in that
/// order.
constexpr const char* kBenchmark = R"(name = "b"
classes = ["two", "zero"]
[image]
height = 1
width = 2
mean = [0.5]
std = [0.2]
[root.r]
folder = "files"
fix = "fetch the files again"
[source.s]
type = "idx"
root = "r"
images = "images"
labels = "labels"
[[set]]
name = "train"
source = "s"
classes = [2, 0]
first_per_class = 1
count = 2
[[set]]
name = "val"
source = "s"
classes = [2, 0]
skip_per_class = 1
first_per_class = 1
count = 2
[[set]]
name = "test"
source = "s"
classes = [2, 0]
skip_per_class = 2
count = 2
[[set]]
name = "near/x"
source = "s"
classes = [1, 3]
count = 6
)";

class ImageSetTest : public testing::DataFiles {
 protected:
  void SetUp() override {
    unsetenv("NEARFAR_DATA");
    write_data("files/");
    benchmark_ = load_benchmark(write("b.toml", kBenchmark).string(), {});
  }
  void write_data(const std::string& folder, int changed_pixel = -1) const {
    std::string pixels, labels;
    for (int i = 0; i < 12; ++i) {
      pixels += {static_cast<char>(i), static_cast<char>(100 + i)};
      labels += static_cast<char>(i % 4);
    }
    if (changed_pixel >= 0) pixels[static_cast<std::size_t>(changed_pixel)] = '\xff';
    write(folder + "images", idx_images(12, 1, 2, pixels));
    write(folder + "labels", idx_labels(12, labels));
  }
  Benchmark benchmark_;
};

TEST_F(ImageSetTest, KeepsClassesInFileOrderAndRelabelsThem) {
  const ImageSet train = load_set(benchmark_, "train");
  EXPECT_EQ(train.count, 2);
  EXPECT_EQ(train.indices, (std::vector<std::int64_t>{0, 2}));
  EXPECT_EQ(train.labels, (std::vector<std::int64_t>{1, 0}));  // label 0 is class 1, label 2 is class 0
  EXPECT_EQ(train.pixels, (std::vector<std::uint8_t>{0, 100, 2, 102}));
  EXPECT_EQ(load_set(benchmark_, "val").indices, (std::vector<std::int64_t>{4, 6}));
  EXPECT_EQ(load_set(benchmark_, "test").indices, (std::vector<std::int64_t>{8, 10}));
}

TEST_F(ImageSetTest, OodLabelsAreMinusOne) {
  const ImageSet near = load_set(benchmark_, "near/x");
  EXPECT_EQ(near.labels, std::vector<std::int64_t>(6, -1));
  EXPECT_EQ(near.indices, (std::vector<std::int64_t>{1, 3, 5, 7, 9, 11}));
}

TEST_F(ImageSetTest, NoImageIsInTwoSets) {
  std::set<std::int64_t> seen;
  for (const ImageSet& set : load_sets(benchmark_, {"train", "val", "test", "near/x"})) {
    for (const std::int64_t index : set.indices) EXPECT_TRUE(seen.insert(index).second) << set.name << " " << index;
  }
  EXPECT_EQ(seen.size(), 12U);
}

TEST_F(ImageSetTest, SetsComeInTheOrderAskedFor) {
  const std::vector<ImageSet> sets = load_sets(benchmark_, {"near/x", "train"});
  EXPECT_EQ(sets[0].name, "near/x");
  EXPECT_EQ(sets[1].name, "train");
}

TEST_F(ImageSetTest, ALimitTakesTheClassesInEqualParts) {
  LoadOptions options;
  options.limit = 4;
  EXPECT_EQ(load_set(benchmark_, "near/x", options).indices, (std::vector<std::int64_t>{1, 3, 5, 7}));
  options.limit = 1;
  EXPECT_EQ(load_set(benchmark_, "near/x", options).indices, std::vector<std::int64_t>{1});
  options.limit = 100;
  EXPECT_EQ(load_set(benchmark_, "near/x", options).count, 6);
}

TEST_F(ImageSetTest, AnotherCountIsRefusedUnlessAllowed) {
  benchmark_.sets[3].count = 7;
  EXPECT_EQ(refusal(ErrorKind::data, [&] { load_set(benchmark_, "near/x"); }),
            "set 'near/x' of benchmark 'b' has 6 images, 7 expected (b.toml:35:1); the files are not the ones the "
            "benchmark was made for; "
            "get those, or "
            "set data.allow_count_mismatch=true, which every result will then say");
  LoadOptions options;
  options.allow_count_mismatch = true;
  EXPECT_EQ(load_set(benchmark_, "near/x", options).count, 6);
  const Manifest manifest = read_manifest(benchmark_, options);
  EXPECT_TRUE(manifest.count_mismatch);
  EXPECT_EQ(manifest.sets[3].available, 6);
  EXPECT_EQ(manifest.sets[3].expected, 7);
  EXPECT_FALSE(read_manifest(load_benchmark((folder_.path() / "b.toml").string(), {}), options).count_mismatch);
}

TEST_F(ImageSetTest, AnEmptySetIsNeverAllowed) {
  benchmark_.sets[3].classes = {99};
  LoadOptions options;
  options.allow_count_mismatch = true;
  refusal(ErrorKind::data, [&] { load_set(benchmark_, "near/x", options); });
}

TEST_F(ImageSetTest, AnotherImageSizeIsRefused) {
  benchmark_.width = 3;
  EXPECT_EQ(refusal(ErrorKind::data, [&] { load_set(benchmark_, "train"); }).substr(0, 56),
            "files/images: images are 1 x 1 x 2, benchmark 'b' (b.tom");
}

/// Two CIFAR records: labels 1 and 0, every byte of an image its label + 5.
TEST_F(ImageSetTest, CifarBatchesHaveTheBenchmarksLabelsOrAreRefused) {
  const auto batch = [](std::initializer_list<char> labels) {
    std::string bytes;
    for (const char label : labels) bytes += label + std::string(3072, static_cast<char>(label + 5));
    return bytes;
  };
  write("files/train.bin", batch({1, 0}));
  write("files/test.bin", batch({2}));
  const Benchmark cifar = load_benchmark(
      write("c.toml",
            "class_count = 2\n[image]\nchannels = 3\nheight = 32\nwidth = 32\nmean = [0, 0, 0]\nstd = [1, 1, 1]\n"
            "[root.r]\nfolder = 'files'\n[source.a]\ntype = 'cifar-binary'\nfiles = ['train.bin']\n"
            "[source.b]\ntype = 'cifar-binary'\nfiles = ['test.bin']\n"
            "[[set]]\nname = 'train'\nsource = 'a'\ncount = 2\n[[set]]\nname = 'test'\nsource = 'b'\ncount = 1\n")
          .string(),
      {});
  const ImageSet train = load_set(cifar, "train");
  EXPECT_EQ(train.labels, (std::vector<std::int64_t>{1, 0}));
  EXPECT_EQ(train.channels, 3);
  EXPECT_EQ(train.pixels[3071], 6);
  EXPECT_EQ(train.pixels[3072], 5);
  EXPECT_EQ(describe_set(cifar, "train").hash, train.hash);
  EXPECT_EQ(refusal(ErrorKind::data, [&] { load_set(cifar, "test"); }),
            "image 0 of source 'b' has the label 2, no class of benchmark 'c', which has 0 … 1 (c.toml:20:1)");
}

TEST_F(ImageSetTest, TheManifestChangesWithOnePixel) {
  const std::string before = manifest_hash(benchmark_);
  EXPECT_EQ(before.size(), 64U);
  EXPECT_EQ(manifest_hash(benchmark_), before);
  for (int pixel = 0; pixel < 24; ++pixel) {
    write_data("files/", pixel);
    EXPECT_NE(manifest_hash(benchmark_), before) << pixel;
  }
  write_data("files/");
  EXPECT_EQ(manifest_hash(benchmark_), before);
}

TEST_F(ImageSetTest, TheManifestChangesWithNormalisationSetsAndLimit) {
  std::set<std::string> hashes = {manifest_hash(benchmark_)};
  Benchmark other = benchmark_;
  other.mean = {0.25};
  EXPECT_TRUE(hashes.insert(manifest_hash(other)).second);
  other = benchmark_;
  other.classes = {"2", "0"};
  EXPECT_TRUE(hashes.insert(manifest_hash(other)).second);
  other = benchmark_;
  other.sets.pop_back();
  EXPECT_TRUE(hashes.insert(manifest_hash(other)).second);
  LoadOptions limited;
  limited.limit = 1;
  EXPECT_TRUE(hashes.insert(manifest_hash(benchmark_, limited)).second);
}

TEST_F(ImageSetTest, TheManifestDoesNotDependOnWhereTheFilesLie) {
  write_data("elsewhere/r/");
  LoadOptions options;
  options.data_root = folder_.path() / "elsewhere";
  EXPECT_EQ(manifest_hash(benchmark_, options), manifest_hash(benchmark_));
}

TEST_F(ImageSetTest, DataRootIsTheOnlyPlaceLookedAtWhereItIsGiven) {
  LoadOptions options;
  options.data_root = folder_.path() / "gone";
  EXPECT_EQ(refusal(ErrorKind::data, [&] { load_set(benchmark_, "train", options); }),
            "the data folder 'r' of benchmark 'b' (b.toml:8:7) is missing; looked for: gone/r; fetch the files again, "
            "or set data.root (or "
            "NEARFAR_DATA) to a "
            "folder that contains 'r'");
}

TEST_F(ImageSetTest, TheEnvironmentComesBeforeTheDefaultFolder) {
  write_data("environment/r/", 0);
  const std::string usual = load_set(benchmark_, "train").hash;
  setenv("NEARFAR_DATA", (folder_.path() / "environment").c_str(), 1);
  EXPECT_NE(load_set(benchmark_, "train").hash, usual);
  setenv("NEARFAR_DATA", (folder_.path() / "nowhere").c_str(), 1);
  EXPECT_EQ(load_set(benchmark_, "train").hash, usual);
  unsetenv("NEARFAR_DATA");
}

}  // namespace
}  // namespace nearfar
