/// A folder in OpenOOD's own layout, with fewer images than the real benchmark.
#include "data/image_list.h"
#include "data/image_set.h"
#include "data_files.h"
#include "support/golden.h"

#include <algorithm>
#include <map>

namespace nearfar {
namespace {

class OpenOodFolder : public testing::DataFiles {
 protected:
  void SetUp() override {
    const auto data = testing::golden("openood-b/data");
    if (!data) GTEST_SKIP() << "golden data openood-b is not there (NEARFAR_GOLDEN)";
    options_.data_root = *data;
    options_.packed = folder_.path() / "packed";
    options_.allow_count_mismatch = true;
    benchmark_ = load_benchmark("cifar10", {testing::source_dir() / "configs" / "benchmarks"});
  }
  LoadOptions options_;
  Benchmark benchmark_;
};

TEST_F(OpenOodFolder, HasAManifestThatSaysThatCountsDiffer) {
  const Manifest manifest = read_manifest(benchmark_, options_);
  EXPECT_TRUE(manifest.count_mismatch);
  EXPECT_EQ(manifest.missing, 0);
  const std::map<std::string, std::int64_t> counts = {
      {"train", 1200},        {"val", 250},           {"test", 450},         {"ood_val", 200},
      {"near/cifar100", 160}, {"near/tin", 160},      {"far/mnist", 150},    {"far/svhn", 150},
      {"far/texture", 140},   {"far/places365", 140}, {"csid/cifar10c", 150}};
  ASSERT_EQ(manifest.sets.size(), counts.size());
  for (const ManifestEntry& set : manifest.sets) {
    EXPECT_EQ(set.count, counts.at(set.name)) << set.name;
    EXPECT_EQ(set.available, set.count);
    EXPECT_EQ(set.expected, benchmark_.set(set.name).count);
  }
}

TEST_F(OpenOodFolder, IsRefusedWithoutLeave) {
  options_.allow_count_mismatch = false;
  const std::string message = refusal(ErrorKind::data, [&] { read_manifest(benchmark_, options_); });
  EXPECT_NE(message.find("set 'train' of benchmark 'cifar10' has 1200 images, 50000 expected"), std::string::npos)
      << message;
}

TEST_F(OpenOodFolder, LabelsAreTheListsForIdAndMinusOneForOod) {
  const ImageList list = read_image_list(options_.data_root / "benchmark_imglist/cifar10/test_cifar10.txt");
  const SetInfo test = describe_set(benchmark_, "test", options_);
  ASSERT_EQ(test.count, list.count());
  for (std::int64_t i = 0; i < test.count; ++i) ASSERT_EQ(test.labels[static_cast<std::size_t>(i)], list.label(i));
  const SetInfo csid = describe_set(benchmark_, "csid/cifar10c", options_);
  EXPECT_GE(*std::min_element(csid.labels.begin(), csid.labels.end()), 0);
  for (const char* name : {"ood_val", "near/tin", "far/places365"}) {
    const SetInfo ood = describe_set(benchmark_, name, options_);
    EXPECT_TRUE(std::all_of(ood.labels.begin(), ood.labels.end(), [](std::int64_t label) { return label == -1; }))
        << name;
  }
}

TEST_F(OpenOodFolder, HasTheFullSpectrumProtocol) {
  EXPECT_EQ(benchmark_.protocol("fsood").csid, std::vector<std::string>{"csid/cifar10c"});
}

TEST_F(OpenOodFolder, LoadsIntoMemory) {
  const ImageSet set = load_set(benchmark_, "csid/cifar10c", options_);
  EXPECT_EQ(set.count, 150);
  EXPECT_EQ(set.pixels.size(), 150U * 32 * 32 * 3);
  EXPECT_EQ(set.labels.size(), 150U);
  EXPECT_EQ(set.indices.back(), 149);
  EXPECT_EQ(set.hash, describe_set(benchmark_, "csid/cifar10c", options_).hash);
}

}  // namespace
}  // namespace nearfar
