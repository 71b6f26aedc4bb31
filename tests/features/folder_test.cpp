#include "features/folder.h"

#include "base/error.h"
#include "base/files.h"
#include "base/npy.h"
#include "support/golden.h"

#include <ATen/core/Tensor.h>
#include <gtest/gtest.h>

#include <limits>

namespace nearfar {
namespace {

template <class T>
void put(const std::filesystem::path& file, const std::vector<std::int64_t>& shape) {
  std::int64_t size = 1;
  for (const std::int64_t one : shape) size *= one;
  std::vector<T> values;
  for (std::int64_t i = 0; i < size; ++i) values.push_back(static_cast<T>(i % 3));
  write_npy<T>(file, std::span<const std::int64_t>(shape), std::span<const T>(values));
}

class Folder : public ::testing::Test {
 protected:
  Folder() {
    put<float>(path() / "head/weight.npy", {3, 4});
    put<float>(path() / "head/bias.npy", {3});
    for (const char* set : {"train", "test", "near/b", "near/a", "far/x"}) {
      put<float>(path() / set / "features.npy", {6, 4});
      put<float>(path() / set / "logits.npy", {6, 3});
      put<std::int64_t>(path() / set / "labels.npy", {6});
    }
  }
  const std::filesystem::path& path() const { return folder_.path(); }
  std::string refusal(Needs needs, const char* set = "test") const {
    try {
      FeatureFolder(path()).set(set, needs);
      return "";
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::data);
      return error.what();
    }
  }
  TempDir folder_;
};

TEST_F(Folder, ListsItsSetsInOrder) {
  const FeatureFolder folder(path());
  EXPECT_EQ(folder.sets(), (std::vector<std::string>{"train", "test", "near/a", "near/b", "far/x"}));
  EXPECT_TRUE(folder.has("near/b"));
  EXPECT_FALSE(folder.has("val"));
  EXPECT_EQ(folder.classes(), 3);
}

TEST_F(Folder, IsNotDistractedByWhatIsBeingWritten) {
  put<float>(path() / "near/.c.0123456789abcdef.tmp/features.npy", {6, 4});
  EXPECT_EQ(FeatureFolder(path()).sets(), (std::vector<std::string>{"train", "test", "near/a", "near/b", "far/x"}));
}

TEST_F(Folder, GivesOnlyWhatIsNeeded) {
  const FeatureFolder folder(path());
  const FeatureBatch logits = folder.set("test", kLogits);
  EXPECT_FALSE(logits.features.defined());
  EXPECT_TRUE(logits.logits.defined() && logits.labels.defined());
  const FeatureBatch normalized = folder.set("test", kNormalizedFeatures);
  EXPECT_FALSE(normalized.features.defined());
  EXPECT_NEAR(normalized.normalized[0].norm().item<double>(), 1, 1e-6);
  std::filesystem::remove(path() / "test/features.npy");
  std::filesystem::remove(path() / "test/labels.npy");
  EXPECT_FALSE(folder.set("test", kLogits).labels.defined());
}

TEST_F(Folder, KeepsTheFileMappedAsLongAsATensorLives) {
  at::Tensor row;
  {
    const FeatureFolder folder(path());
    row = folder.set("test", kFeatures).features[1];
  }
  EXPECT_EQ(row[0].item<float>(), 1);  // element 4 of 0 1 2 0 1 2 …
}

TEST_F(Folder, NamesWhatIsMissing) {
  std::filesystem::remove(path() / "test/logits.npy");
  EXPECT_NE(refusal(kLogits).find("test/logits.npy: missing"), std::string::npos);
  EXPECT_EQ(refusal(kFeatures), "");
  EXPECT_NE(refusal(kFeatures, "nera/a").find("did you mean 'near/a'"), std::string::npos);
}

TEST_F(Folder, ReadsOtherNumbersAsItsOwn) {
  const FeatureBatch own = FeatureFolder(path()).set("test", kFeatures | kLogits);
  put<double>(path() / "test/features.npy", {6, 4});
  put<std::int16_t>(path() / "test/logits.npy", {6, 3});
  for (const bool wide : {false, true}) {
    if (wide)
      put<double>(path() / "test/labels.npy", {6, 1});
    else
      put<std::uint8_t>(path() / "test/labels.npy", {6});
    const FeatureBatch other = FeatureFolder(path()).set("test", kFeatures | kLogits);
    EXPECT_EQ(other.features.scalar_type(), at::kFloat);
    EXPECT_TRUE(other.features.equal(own.features) && other.logits.equal(own.logits));
    EXPECT_TRUE(other.labels.equal(own.labels));
  }
}

TEST_F(Folder, RefusesWrongShapesAndLabels) {
  put<float>(path() / "test/features.npy", {6, 2, 2});
  EXPECT_NE(refusal(kFeatures).find("3 axes, expected 2; save it with np.save"), std::string::npos);
  put<float>(path() / "test/features.npy", {5, 4});
  EXPECT_NE(refusal(kFeatures | kLogits).find("is 6, expected 5 as in features.npy"), std::string::npos);
  put<float>(path() / "test/features.npy", {6, 5});
  EXPECT_NE(refusal(kFeatures).find("is 5, expected 4 as in head/weight.npy"), std::string::npos);
  const std::vector<float> halves{0, 1, 0.5F, 0, 0, 0};
  const std::vector<std::int64_t> six{6};
  write_npy<float>(path() / "test/labels.npy", six, halves);
  EXPECT_NE(refusal(kLogits).find("test/labels.npy: number 2 is 0.5, which is no integer"), std::string::npos);
  put<float>(path() / "head/bias.npy", {4});
  EXPECT_THROW(FeatureFolder(path()).head(), Error);
}

TEST_F(Folder, RefusesWhatIsNoNumberWhoeverAsks) {
  std::vector<float> values(24, 1);
  values[4 * 3 + 1] = std::numeric_limits<float>::quiet_NaN();
  const std::vector<std::int64_t> shape{6, 4};
  write_npy<float>(path() / "train/features.npy", std::span<const std::int64_t>(shape), std::span<const float>(values));
  const std::string message = "'train': features of image 3 are not finite (nan), 1 of 6 images in all: " +
                              (path() / "train/features").string() + ".npy holds such values; look at how it was made";
  EXPECT_EQ(refusal(kFeatures, "train"), message);
  EXPECT_EQ(refusal(kNormalizedFeatures, "train"), message);
  EXPECT_EQ(refusal(kLogits, "train"), "");
}

TEST_F(Folder, RefusesAHeadThatIsNoNumber) {
  const std::vector<float> values{0, std::numeric_limits<float>::infinity(), 0};
  const std::vector<std::int64_t> shape{3};
  write_npy<float>(path() / "head/bias.npy", std::span<const std::int64_t>(shape), std::span<const float>(values));
  const FeatureFolder folder(path());
  EXPECT_EQ(folder.classes(), 3);
  EXPECT_EQ(folder.set("test", kFeatures).features.size(0), 6);
  try {
    folder.head();
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("bias.npy: the head's bias of class 1 is not finite (inf), 1 of 3"),
              std::string::npos)
        << error.what();
  }
}

TEST_F(Folder, TellsTheClassesWithoutAHead) {
  std::filesystem::remove_all(path() / "head");
  EXPECT_EQ(FeatureFolder(path()).classes(), 3);  // columns of the logits
  EXPECT_THROW(FeatureFolder(path()).head(), Error);
  for (const char* set : {"train", "test", "near/b", "near/a", "far/x"})
    std::filesystem::remove(path() / set / "logits.npy");
  EXPECT_EQ(FeatureFolder(path()).classes(), 3);  // largest train label + 1
  std::filesystem::remove(path() / "train/labels.npy");
  EXPECT_THROW(FeatureFolder(path()).classes(), Error);
}

TEST(FeatureFolder, RefusesAFolderWithoutSets) {
  const TempDir empty;
  EXPECT_THROW(FeatureFolder{empty.path()}, Error);
  EXPECT_THROW(FeatureFolder{empty.path() / "none"}, Error);
}

TEST(FeatureFolder, ReadsTheGoldenFolder) {
  const auto golden = testing::golden("features-a");
  if (!golden) GTEST_SKIP() << "golden features-a is not here";
  const FeatureFolder folder(*golden);
  EXPECT_EQ(folder.classes(), 8);
  for (const std::string& name : folder.sets()) {
    const FeatureBatch batch = folder.set(name, kFeatures | kLogits);
    const HeadWeights head = folder.head();
    // The stored logits are the head's: float32 sums of 512 products in another order.
    EXPECT_TRUE(batch.features.matmul(head.weight.t()).add(head.bias).allclose(batch.logits, 1e-3, 1e-3)) << name;
  }
}

}  // namespace
}  // namespace nearfar
