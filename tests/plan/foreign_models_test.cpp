/// Models made elsewhere: their rows' names and their keys. The engine is a fake that takes every file for a network.
#include "base/error.h"
#include "base/files.h"
#include "plan/fake_engine.h"
#include "plan/plan.h"
#include "support/golden.h"

#include <gtest/gtest.h>

#include <set>

namespace nearfar {
namespace {

class ForeignModels : public ::testing::Test {
 protected:
  void SetUp() override {
    int number = 0;
    for (const char* name : {"runs/a/best.ckpt", "runs/b/best.ckpt", "runs/b/last.ckpt", "other/a/best.ckpt",
                             "base/s0/best.ckpt", "base/s1/best.ckpt", "resnet50.pth"})
      write_file_atomic(folder_.path() / name, "weights " + std::to_string(number++));
  }
  std::string path(const std::string& name) const { return (folder_.path() / name).string(); }
  Plan plan(const std::string& models, const std::vector<std::string>& overrides = {}) const {
    write_file_atomic(folder_.path() / "x.toml", "benchmark = 'smoke'\npostprocessors = ['msp']\n" + models);
    return make_plan({.experiment = load_experiment({folder_.path() / "x.toml"}, overrides),
                      .benchmark_folders = {testing::source_dir() / "configs/benchmarks"}},
                     testing::fake_engine());
  }
  std::string entry(const std::string& checkpoint, const std::string& more = "") const {
    return "[[model]]\ncheckpoint = '" + path(checkpoint) + "'\n" + more;
  }
  static std::vector<std::string> labels(const Plan& plan) {
    std::vector<std::string> all;
    for (const ModelPlan& model : plan.models) all.push_back(model.label);
    return all;
  }
  using Names = std::vector<std::string>;
  TempDir folder_;
};

TEST_F(ForeignModels, RowsAreCalledAfterTheirFiles) {
  EXPECT_EQ(labels(plan(entry("resnet50.pth"))), Names{"resnet50/resnet18_32x32/s0"});
  EXPECT_EQ(labels(plan(entry("base"))), (Names{"base/resnet18_32x32/s0", "base/resnet18_32x32/s1"}));
  EXPECT_EQ(labels(plan(entry("runs/*/best.ckpt"))), (Names{"a/resnet18_32x32/s0", "b/resnet18_32x32/s0"}));
  EXPECT_EQ(labels(plan(entry("runs/a") + entry("other/a"))),
            (Names{"runs/a/resnet18_32x32/s0", "other/a/resnet18_32x32/s0"}));
  EXPECT_EQ(labels(plan(entry("runs/b/best.ckpt") + entry("runs/b/last.ckpt"))),
            (Names{"b (best.ckpt)/resnet18_32x32/s0", "b (last.ckpt)/resnet18_32x32/s0"}));
}

TEST_F(ForeignModels, ALabelAndATrainingNameThemInstead) {
  const Plan labelled = plan(entry("base", "label = 'CE, ours'\n"));
  EXPECT_EQ(labelled.models[0].training, "CE, ours");
  EXPECT_EQ(labelled.models[1].training, "CE, ours");
  EXPECT_EQ(labelled.models[1].training_params, "");
  EXPECT_EQ(plan(entry("base", "training = 'ce'\n")).models[0].training, "ce");
  // Two that would be one row and one seed say by what they differ.
  const Plan several = plan(entry("runs/*/best.ckpt", "training = 'ce'\n"));
  EXPECT_EQ(several.models[0].training_params, "file=a");
  EXPECT_EQ(several.models[1].training_params, "file=b");
  EXPECT_EQ(labels(several)[1], "ce (b)/resnet18_32x32/s0");
}

TEST_F(ForeignModels, NamesAndSeedsAreInNoKey) {
  const auto key = [&](const std::string& more) { return plan(entry("resnet50.pth", more)).evals.at(0).cell.key; };
  const std::string before = key("");
  EXPECT_EQ(key("label = 'mine'\n"), before);
  EXPECT_EQ(key("training = 'ce'\n"), before);
  EXPECT_EQ(key("seed = 4\n"), before);
  write_file_atomic(folder_.path() / "resnet50.pth", "other weights");
  EXPECT_NE(key(""), before);
}

TEST_F(ForeignModels, ListsAreSoManyEntriesAndComeBackFromTheDatabase) {
  const std::string list = "[model]\ncheckpoint = ['" + path("runs/a") + "', '" + path("base") + "']\nlabel = 'x'\n";
  const Plan made = plan(list);
  EXPECT_EQ(made.models.size(), 3u);
  EXPECT_EQ(made.experiment.composed.find(folder_.path().string()), std::string::npos) << made.experiment.composed;
  const Experiment again = load_composed_experiment(made.experiment.composed, made.profile);
  EXPECT_EQ(again.hash, made.experiment.hash);
  const Plan second = make_plan({.experiment = again}, testing::fake_engine());
  ASSERT_EQ(second.evals.size(), made.evals.size());
  for (std::size_t i = 0; i < made.evals.size(); ++i) EXPECT_EQ(second.evals[i].cell.key, made.evals[i].cell.key);
  EXPECT_EQ(labels(second), labels(made));
}

TEST_F(ForeignModels, TheSameWeightsTwiceAreRefused) {
  try {
    plan(entry("runs/a") + entry("runs/a/best.ckpt", "label = 'again'\n"));
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::config);
    EXPECT_NE(std::string(error.what()).find("hold the same model"), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace nearfar
