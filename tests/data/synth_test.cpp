#include "data/synth.h"

#include "data/check.h"
#include "data/image_stream.h"
#include "made_images.h"
#include "support/golden.h"

#include <map>
#include <set>

namespace nearfar {
namespace {

using namespace testing;
namespace fs = std::filesystem;

const char* const kBenchmarks[] = {"cifar10", "cifar100", "imagenet200", "imagenet"};

Benchmark shipped(const std::string& name) { return load_benchmark(name, {source_dir() / "configs/benchmarks"}); }

/// Every file beneath `folder` with its content.
std::map<std::string, std::string> contents(const fs::path& folder) {
  std::map<std::string, std::string> files;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.is_regular_file()) files[fs::relative(entry.path(), folder).string()] = read_file(entry.path());
  }
  return files;
}

class SynthTest : public MadeImages {};

TEST_F(SynthTest, TheSameSeedGivesTheSameBytesAndAnotherOneOthers) {
  const Benchmark benchmark = shipped("cifar10");
  synth_data(benchmark, folder_.path() / "a", 6, 1);
  synth_data(benchmark, folder_.path() / "b", 6, 1);
  synth_data(benchmark, folder_.path() / "c", 6, 2);
  const auto a = contents(folder_.path() / "a");
  EXPECT_EQ(a, contents(folder_.path() / "b"));
  const auto c = contents(folder_.path() / "c");
  for (const auto& [name, content] : c) {
    if (name.ends_with(".txt") || !a.contains(name)) continue;
    EXPECT_NE(content, a.at(name)) << name;
  }
}

TEST_F(SynthTest, HasTheReferencesFoldersAndLists) {
  synth_data(shipped("cifar10"), folder_.path() / "d", 6, 1);
  for (const char* name :
       {"benchmark_imglist/cifar10/train_cifar10.txt", "benchmark_imglist/cifar10/val_tin.txt",
        "images_classic/cifar10/train/airplane", "images_classic/cifar10c", "images_classic/mnist/test",
        "images_classic/texture/gauzy", "images_classic/tin/val/images", "images_classic/places365/field-cultivated"}) {
    EXPECT_TRUE(fs::exists(folder_.path() / "d" / name)) << name;
  }
}

TEST_F(SynthTest, MixesFormats) {
  synth_data(shipped("cifar10"), folder_.path() / "d", 40, 1);
  std::map<ImageFormat, int> formats;
  std::set<int> colour_types;
  std::set<std::pair<std::int64_t, std::int64_t>> sizes;
  RgbImage image;
  for (const auto& [name, content] : contents(folder_.path() / "d/images_classic")) {
    const std::span bytes(reinterpret_cast<const std::uint8_t*>(content.data()), content.size());
    const ImageFormat format = image_format(bytes);
    ++formats[format];
    if (format == ImageFormat::png) colour_types.insert(content[25] + 100 * content[24]);
    decode_image(bytes, image);
    sizes.insert({image.width, image.height});
  }
  EXPECT_EQ(formats.size(), 2U);
  EXPECT_GT(formats[ImageFormat::jpeg], 50);
  EXPECT_EQ(colour_types, (std::set<int>{800, 802, 803, 804, 806, 1600}));  // 100 x bits + colour type
  EXPECT_GE(sizes.size(), 6U);
}

TEST_F(SynthTest, PassesTheCheckOfEveryShippedBenchmark) {
  for (const std::string name : kBenchmarks) {
    SCOPED_TRACE(name);
    const Benchmark benchmark = shipped(name);
    const fs::path out = folder_.path() / name;
    const SynthReport report = synth_data(benchmark, out, 8, 1);
    options_.data_root = out;
    options_.threads = 2;
    options_.allow_count_mismatch = true;
    const DataCheck check = check_data(benchmark, options_);
    EXPECT_TRUE(check.ok) << check_text(check);
    EXPECT_TRUE(check.overlaps.empty()) << check_text(check);
    std::int64_t images = 0;
    for (const SetCheck& set : check.sets) {
      images += set.listed;
      EXPECT_EQ(set.duplicates, 0) << set.name;
      if (set.group == "id" || set.group == "csid") {
        EXPECT_EQ(set.classes_present, check.classes) << set.name;
      }
    }
    EXPECT_EQ(images, report.images);
    fs::remove_all(out);
  }
}

/// Mean colour and mean gradient of an image: enough to tell classes apart.
std::vector<double> summary(std::span<const std::uint8_t> pixels, std::int64_t side) {
  std::vector<double> values(5);
  for (std::int64_t y = 0; y + 1 < side; ++y) {
    for (std::int64_t x = 0; x + 1 < side; ++x) {
      const auto at = static_cast<std::size_t>((y * side + x) * 3), row = static_cast<std::size_t>(side * 3);
      for (std::size_t c = 0; c < 3; ++c) values[c] += pixels[at + c];
      values[3] += std::abs(pixels[at + 4] - pixels[at + 1]);
      values[4] += std::abs(pixels[at + row + 1] - pixels[at + 1]);
    }
  }
  return values;
}

TEST_F(SynthTest, ClassesCanBeLearned) {
  const Benchmark benchmark = shipped("cifar10");
  synth_data(benchmark, folder_.path() / "d", 50, 1);
  options_.data_root = folder_.path() / "d";
  options_.allow_count_mismatch = true;
  const ImageSet train = load_set(benchmark, "train", options_), test = load_set(benchmark, "test", options_);
  const std::size_t size = 32 * 32 * 3;
  std::int64_t right = 0;
  for (std::int64_t i = 0; i < test.count; ++i) {  // nearest neighbour of five numbers
    const auto mine = summary(std::span(test.pixels).subspan(static_cast<std::size_t>(i) * size, size), 32);
    double best = 1e300;
    std::int64_t label = -1;
    for (std::int64_t j = 0; j < train.count; ++j) {
      const auto other = summary(std::span(train.pixels).subspan(static_cast<std::size_t>(j) * size, size), 32);
      double distance = 0;
      for (std::size_t k = 0; k < 5; ++k) distance += (mine[k] - other[k]) * (mine[k] - other[k]);
      if (distance < best) {
        best = distance;
        label = train.labels[static_cast<std::size_t>(j)];
      }
    }
    right += label == test.labels[static_cast<std::size_t>(i)];
  }
  EXPECT_GE(right, test.count * 7 / 10) << "of " << test.count;
}

TEST_F(SynthTest, MakesClassFolders) {
  const Benchmark benchmark = load_benchmark(write("f.toml", R"(classes = ["cat", "dog"]
[image]
channels = 3
height = 16
width = 16
resize = 16
mean = [0.5, 0.5, 0.5]
std = [0.2, 0.2, 0.2]
[root.pets]
folder = "pets"
[source.train]
type = "folders"
root = "pets"
folder = "train"
[source.test]
type = "folders"
root = "pets"
folder = "test"
folders = ["c", "d"]
[[set]]
name = "train"
source = "train"
[[set]]
name = "test"
source = "test"
)")
                                                 .string(),
                                             {});
  const SynthReport report = synth_data(benchmark, folder_.path() / "d", 3, 1);
  EXPECT_EQ(report.images, 12 + 3);
  options_.data_root = folder_.path() / "d";
  const DataCheck check = check_data(benchmark, options_);
  EXPECT_TRUE(check.ok) << check_text(check);
}

TEST_F(SynthTest, RefusesAFolderWithFilesAndABenchmarkWithoutLists) {
  write("full/file", "x");
  EXPECT_NE(refusal(ErrorKind::data, [&] { synth_data(shipped("cifar10"), folder_.path() / "full", 5, 1); })
                .find("not empty"),
            std::string::npos);
  EXPECT_NE(refusal(ErrorKind::config, [&] { synth_data(shipped("smoke"), folder_.path() / "d", 5, 1); })
                .find("nothing to make"),
            std::string::npos);
}

}  // namespace
}  // namespace nearfar
