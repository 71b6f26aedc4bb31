/// Which files model.checkpoint means.
#include "plan/weights_files.h"

#include "base/error.h"
#include "base/files.h"

#include <gtest/gtest.h>

namespace nearfar {
namespace {
namespace fs = std::filesystem;

TEST(Glob, IsTheShells) {
  EXPECT_TRUE(matches_glob("best*", "best_epoch9"));
  EXPECT_TRUE(matches_glob("*", ""));
  EXPECT_TRUE(matches_glob("*a*b", "xaxaxb"));
  EXPECT_FALSE(matches_glob("*a*b", "xaxaxc"));
  EXPECT_TRUE(matches_glob("s?", "s1"));
  EXPECT_FALSE(matches_glob("s?", "s10"));
  EXPECT_TRUE(matches_glob("s[0-2]", "s1"));
  EXPECT_FALSE(matches_glob("s[!0-2]", "s1"));
  EXPECT_TRUE(matches_glob("s[!0-2]", "s3"));
  EXPECT_FALSE(matches_glob("*", "a/b"));
  EXPECT_FALSE(matches_glob("a?b", "a/b"));
  EXPECT_TRUE(matches_glob("[", "["));
  EXPECT_FALSE(matches_glob("abc", "ab"));
}

class WeightsFiles : public ::testing::Test {
 protected:
  void touch(const std::string& name) const { write_file_atomic(folder_.path() / name, "x"); }
  ForeignModel model(const std::string& checkpoint) const {
    ForeignModel entry;
    entry.checkpoint = folder_.path() / checkpoint;
    entry.where = "x.toml:1:1";
    return entry;
  }
  /// "s0/best.ckpt:0": file and seed; "!" where the seed is not known.
  std::vector<std::string> found(const ForeignModel& entry) const {
    std::vector<std::string> all;
    for (const WeightsFile& one : weights_files(entry)) {
      all.push_back(one.file.lexically_relative(folder_.path()).string() + ":" +
                    (one.numbered ? std::to_string(one.seed) : "!"));
    }
    return all;
  }
  std::string refusal(const std::string& checkpoint) const {
    try {
      weights_files(model(checkpoint));
      return "";
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::data);
      return error.what();
    }
  }
  using List = std::vector<std::string>;
  TempDir folder_;
};

TEST_F(WeightsFiles, AFileIsItselfAndItsFolderMaySayTheSeed) {
  touch("a.pth");
  touch("base/s3/best.ckpt");
  EXPECT_EQ(found(model("a.pth")), List{"a.pth:!"});
  EXPECT_EQ(found(model("base/s3/best.ckpt")), List{"base/s3/best.ckpt:3"});
  ForeignModel seeded = model("a.pth");
  seeded.seed = 7;
  EXPECT_EQ(found(seeded), List{"a.pth:7"});
  EXPECT_NE(refusal("b.pth").find("is not there"), std::string::npos);
}

TEST_F(WeightsFiles, OneForEachSeedFolder) {
  for (const char* name : {"s0/best.ckpt", "s0/last.ckpt", "s0/best_epoch9_acc0.9.ckpt", "s10/last.pth",
                           "s10/last.json", "s2/best_epoch7_acc0.95.ckpt", "s2/last_epoch9_acc0.9.ckpt",
                           "seed_3/weights.safetensors", "notes/best.ckpt", "s4/readme.txt", "s5/.best.ckpt"})
    touch(name);
  EXPECT_EQ(found(model("")), (List{"s0/best.ckpt:0", "s2/best_epoch7_acc0.95.ckpt:2", "seed_3/weights.safetensors:3",
                                    "s10/last.pth:10"}));
  ForeignModel one = model("");
  one.seed = 2;
  EXPECT_EQ(found(one).size(), 1u);
  const std::vector<WeightsFile> files = weights_files(model(""));
  EXPECT_EQ(files[0].choice, "rather than best_epoch9_acc0.9.ckpt, last.ckpt");
  EXPECT_EQ(files[2].choice, "");
}

TEST_F(WeightsFiles, AFolderWithoutSeedsIsLookedAtItself) {
  touch("run/last.pt");
  touch("run/epoch=3.ckpt");
  EXPECT_EQ(found(model("run")), List{"run/last.pt:!"});
  EXPECT_NE(refusal("").find("has no weights file"), std::string::npos) << refusal("");
}

TEST_F(WeightsFiles, SeveralThatMayBeMeantAreNamed) {
  touch("a/s0/best.ckpt");
  touch("a/s0/best.pth");
  const std::string message = refusal("a");
  for (const char* part : {"x.toml:1:1", "2 weights files", "best.ckpt, best.pth"})
    EXPECT_NE(message.find(part), std::string::npos) << message;
  touch("b/epoch1.pt");
  touch("b/epoch2.pt");
  EXPECT_NE(refusal("b").find("epoch1.pt, epoch2.pt"), std::string::npos) << refusal("b");
  touch("c/s0/best.ckpt");
  touch("c/seed0/best.ckpt");
  EXPECT_NE(refusal("c").find("both seed 0"), std::string::npos) << refusal("c");
}

TEST_F(WeightsFiles, PatternsMatchFilesAndFolders) {
  for (const char* name : {"runs/b/best.ckpt", "runs/a/best.ckpt", "runs/a/last.ckpt", "runs/.hidden/best.ckpt",
                           "runs/c/s0/best.ckpt", "runs/c/s1/best.ckpt", "odd[1].pth"})
    touch(name);
  EXPECT_EQ(found(model("runs/*/best.ckpt")), (List{"runs/a/best.ckpt:!", "runs/b/best.ckpt:!"}));
  EXPECT_EQ(found(model("runs/*")),
            (List{"runs/a/best.ckpt:!", "runs/b/best.ckpt:!", "runs/c/s0/best.ckpt:0", "runs/c/s1/best.ckpt:1"}));
  EXPECT_EQ(found(model("runs/[ab]/l*.ckpt")), List{"runs/a/last.ckpt:!"});
  EXPECT_EQ(found(model("odd[1].pth")), List{"odd[1].pth:!"}) << "a file of that name comes first";
  EXPECT_NE(refusal("runs/*/none.ckpt").find("nothing matches"), std::string::npos);
}

TEST(TellingParts, LeaveOutWhatEveryFileIsCalled) {
  using Parts = std::vector<std::string>;
  EXPECT_EQ(telling_parts("/runs/cifar10_base/s0/best.ckpt"), (Parts{"runs", "cifar10_base"}));
  EXPECT_EQ(telling_parts("/w/resnet50-0676ba61.pth"), (Parts{"w", "resnet50-0676ba61"}));
  EXPECT_EQ(telling_parts("/w/run7/checkpoints/epoch=9-step=3.ckpt"), (Parts{"w", "run7"}));
  EXPECT_EQ(telling_parts("/best.ckpt"), Parts{"best"});
  EXPECT_EQ(telling_parts("/caches/features.v2"), (Parts{"caches", "features.v2"}));
  EXPECT_EQ(telling_parts("/caches/mine/"), (Parts{"caches", "mine"}));
}

TEST(ShortNames, GrowUntilTheyDiffer) {
  using Names = std::vector<std::string>;
  EXPECT_EQ(short_names({{"r", "a"}, {"r", "b"}}), (Names{"a", "b"}));
  EXPECT_EQ(short_names({{"x", "a"}, {"y", "a"}, {"y", "b"}}), (Names{"x/a", "y/a", "b"}));
  EXPECT_EQ(short_names({{"x", "a"}, {"x", "a"}}), (Names{"a", "a"}));
  EXPECT_EQ(short_names({{"a"}, {"x", "a"}}), (Names{"a", "x/a"}));
}

}  // namespace
}  // namespace nearfar
