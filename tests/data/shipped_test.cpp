/// Every benchmark of configs/ parses; Fashion-MNIST and the smoke benchmark have what they promise.
#include "data/image_set.h"
#include "support/golden.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <map>
#include <set>

namespace nearfar {
namespace {

namespace fs = std::filesystem;

fs::path folder() { return testing::source_dir() / "configs" / "benchmarks"; }

TEST(ShippedBenchmarks, Parse) {
  const std::vector<std::string> names = benchmark_names({folder()});
  EXPECT_GE(names.size(), 2U);
  for (const std::string& name : names) {
    SCOPED_TRACE(name);
    EXPECT_EQ(load_benchmark(name, {folder()}).name, name);
  }
}

TEST(SmokeBenchmark, NeedsNoFilesAndHasEqualClasses) {
  const Benchmark benchmark = load_benchmark("smoke", {folder()});
  const Manifest manifest = read_manifest(benchmark);
  EXPECT_FALSE(manifest.count_mismatch);
  const ImageSet train = load_set(benchmark, "train");
  std::map<std::int64_t, int> per_class;
  for (const std::int64_t label : train.labels) ++per_class[label];
  EXPECT_EQ(per_class, (std::map<std::int64_t, int>{{0, 100}, {1, 100}, {2, 100}, {3, 100}}));
  EXPECT_EQ(train.height, 16);
}

/// The images of a set, each as text.
std::set<std::string> contents(const ImageSet& set) {
  std::set<std::string> images;
  const std::size_t size = set.pixels.size() / static_cast<std::size_t>(set.count);
  const char* pixels = reinterpret_cast<const char*>(set.pixels.data());
  for (std::int64_t i = 0; i < set.count; ++i) images.emplace(pixels + static_cast<std::size_t>(i) * size, size);
  return images;
}

TEST(FashionMnist, HasTheCountsItPromisesAndDisjointSplits) {
  if (!fs::exists("/usr/share/datasets/fashion-mnist"))
    GTEST_SKIP() << "Fashion-MNIST is not installed (Debian package dataset-fashion-mnist)";
  const Benchmark benchmark = load_benchmark("fashion-mnist", {folder()});
  const std::vector<ImageSet> sets =
      load_sets(benchmark, {"train", "val", "test", "ood_val", "near/clothes", "near/shoes", "control/noise"});
  const std::int64_t counts[] = {6000, 1200, 6000, 1000, 2000, 2000, 1000};
  for (std::size_t i = 0; i < sets.size(); ++i) EXPECT_EQ(sets[i].count, counts[i]) << sets[i].name;
  std::map<std::int64_t, int> per_class;
  for (const std::int64_t label : sets[0].labels) ++per_class[label];
  EXPECT_EQ(per_class, (std::map<std::int64_t, int>{{0, 1000}, {1, 1000}, {2, 1000}, {3, 1000}, {4, 1000}, {5, 1000}}));
  for (const std::int64_t label : sets[4].labels) ASSERT_EQ(label, -1);

  const std::set<std::string> train = contents(sets[0]);
  for (const std::size_t other : {1U, 2U}) {
    std::int64_t common = 0;
    for (const std::string& image : contents(sets[other])) common += train.contains(image) ? 1 : 0;
    EXPECT_EQ(common, 0) << sets[other].name;
  }
}

TEST(FashionMnist, HasADigitSetAndAManifest) {
  if (!fs::exists("/usr/share/datasets/fashion-mnist"))
    GTEST_SKIP() << "Fashion-MNIST is not installed (Debian package dataset-fashion-mnist)";
  const char* data = std::getenv("NEARFAR_DATA");
  if (!fs::exists(testing::source_dir() / ".deps/data/mnist-5k") &&
      (data == nullptr || !fs::exists(fs::path(data) / "mnist-5k")))
    GTEST_SKIP() << "the MNIST digits are neither in NEARFAR_DATA nor in .deps/data (./run build fetches them)";
  const Manifest manifest = read_manifest(load_benchmark("fashion-mnist", {folder()}));
  EXPECT_FALSE(manifest.count_mismatch);
  EXPECT_EQ(manifest.sets.size(), 8U);
  EXPECT_EQ(manifest.sets[6].name, "far/mnist");
  EXPECT_EQ(manifest.sets[6].count, 5000);
}

}  // namespace
}  // namespace nearfar
