#include "data/feature_sets.h"

#include "base/error.h"
#include "base/files.h"

#include <gtest/gtest.h>

namespace nearfar {
namespace {

class FeatureSets : public ::testing::Test {
 protected:
  void put(const char* file) { write_file_atomic(folder_.path() / file, "x"); }
  std::vector<std::string> found() const { return feature_folder_sets(folder_.path()); }
  TempDir folder_;
};

TEST_F(FeatureSets, AreListedInTheOrderOfTheGroups) {
  for (const char* file : {"control/noise/logits.npy", "csid/b/features.npy", "far/z/logits.npy", "near/b/logits.npy",
                           "near/a/features.npy", "ood_val/logits.npy", "test/features.npy", "train/features.npy"})
    put(file);
  EXPECT_EQ(found(), (std::vector<std::string>{"train", "test", "ood_val", "near/a", "near/b", "far/z", "csid/b",
                                               "control/noise"}));
}

TEST_F(FeatureSets, HaveFeaturesOrLogits) {
  put("train/labels.npy");
  put("near/labels-only/labels.npy");
  put("near/empty/notes.txt");
  put("near/file.npy");
  put("other/x/features.npy");
  put("head/weight.npy");
  std::filesystem::create_directories(folder_.path() / "far/folder/features.npy");
  EXPECT_TRUE(found().empty());
}

TEST_F(FeatureSets, AreNeverHidden) {
  put("near/.mnist.0123456789abcdef.tmp/features.npy");  // being written, or left by a killed process
  put(".test.0123456789abcdef.tmp/features.npy");
  EXPECT_TRUE(found().empty());
}

TEST_F(FeatureSets, OfNoFolderAreNone) { EXPECT_TRUE(feature_folder_sets(folder_.path() / "none").empty()); }

TEST_F(FeatureSets, AreAnErrorWhereTheyCannotBeListed) {
  std::filesystem::create_symlink("far", folder_.path() / "far");  // leads to itself
  try {
    found();
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::data);
    EXPECT_NE(std::string(error.what()).find(folder_.path().string()), std::string::npos);
  }
}

}  // namespace
}  // namespace nearfar
