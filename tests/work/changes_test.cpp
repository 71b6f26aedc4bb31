/// Reasons of new cells, and how long a plan will take, by what the database holds. The engine is a fake.
#include "work/changes.h"

#include "base/files.h"
#include "base/text.h"
#include "plan/fake_engine.h"
#include "store/session.h"
#include "support/golden.h"
#include "work/estimate.h"
#include "work/put.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

namespace nearfar {
namespace {

class ChangesTest : public ::testing::Test {
 protected:
  Plan plan(const std::vector<std::string>& overrides = {}) {
    const auto file = folder_.path() / "x.toml";
    write_file_atomic(file,
                      "name = 'x'\nbenchmark = 'smoke'\nlosses = ['ce', 'supcon']\npostprocessors = ['msp', 'knn']\n");
    return make_plan({.experiment = load_experiment({file}, overrides),
                      .benchmark_folders = {testing::source_dir() / "configs/benchmarks"},
                      .out = folder_.path() / "out",
                      .database = folder_.path() / "results.sqlite"},
                     engine_);
  }
  void put(const std::vector<std::string>& overrides = {}) {
    Plan made = plan(overrides);
    Session session = Session::open(made.database);
    put_plan(made, session);
  }
  /// Of every cell that is to run.
  std::map<std::string, std::string> reasons(const std::vector<std::string>& overrides) {
    Plan made = plan(overrides);
    Session session = Session::open_read_only(made.database);
    compare(made, &session.planning());
    std::map<std::string, std::string> all;
    const auto note = [&](const Cell& cell) {
      if (cell.will_run) all[cell.label] = cell.reason;
    };
    for (const TrainCell& one : made.trains) note(one.cell);
    for (const FeaturesCell& one : made.features) note(one.cell);
    for (const AccuracyCell& one : made.accuracies) note(one.cell);
    for (const EvalCell& one : made.evals) note(one.cell);
    return all;
  }
  static std::set<std::string> different(const std::map<std::string, std::string>& reasons) {
    std::set<std::string> all;
    for (const auto& [label, reason] : reasons) all.insert(reason);
    return all;
  }
  /// The plugin as another build of it, from now on.
  void rebuild(const std::string& plugin, const std::string& field, const std::string& value) {
    engine_ = [inner = engine_, plugin, field, value](const std::string& verb, const wire::Json& job) {
      wire::Json answer = inner(verb, job);
      if (!answer.contains("plugins")) return answer;
      for (wire::Json& one : answer["plugins"]) {
        if (one["name"] == plugin) one[field] = value;
      }
      return answer;
    };
  }

  TempDir folder_;
  AskEngine engine_ = testing::fake_engine();
};

TEST_F(ChangesTest, ASettingThatChangedIsTold) {
  put();
  const auto found = reasons({"train.lr=0.05"});
  EXPECT_EQ(found.at("ce/resnet8/s0"), "config changed: train.lr 0.1 → 0.05");
  EXPECT_EQ(found.at("ce/resnet8/s0 knn"), "its model changed");
  EXPECT_EQ(found.at("ce/resnet8/s0 accuracy"), "its model changed");
  EXPECT_EQ(found.at("ce/resnet8/s0 features of test"), "its model changed");
}

TEST_F(ChangesTest, BothWaysWhereADefaultIsLeftOutOfIdentities) {
  put({"train.lr=0.05", "train.epochs=7"});
  EXPECT_EQ(reasons({"train.epochs=7"}).at("supcon/resnet8/s0"), "config changed: train.lr 0.05 → 0.1");
}

TEST_F(ChangesTest, WhatIsStillPlannedIsNotWhatChanged) {
  put({"seeds=0"});
  const auto found = reasons({"seeds=0,1"});
  EXPECT_EQ(found.at("ce/resnet8/s0"), "planned before");
  EXPECT_EQ(found.at("ce/resnet8/s1"), "new");
  EXPECT_EQ(found.at("ce/resnet8/s1 knn"), "new");
}

TEST_F(ChangesTest, OneMorePostprocessorIsNewAndAParameterIsAChange) {
  put();
  const auto found = reasons({"postprocessors=msp,knn,odin", "postprocessor.knn.k=7"});
  EXPECT_EQ(found.at("ce/resnet8/s0 odin"), "new");
  EXPECT_EQ(found.at("ce/resnet8/s0 knn"), "config changed: postprocessor.k 50 → 7");
  EXPECT_EQ(found.at("ce/resnet8/s0 msp"), "planned before");
}

TEST_F(ChangesTest, PluginsByVersionAndBySources) {
  put();
  rebuild("knn", "version", "1.1.0");
  EXPECT_EQ(reasons({}).at("ce/resnet8/s0 knn"), "plugin changed: knn 1.0.0 → 1.1.0");
  put();
  rebuild("knn", "source_hash", "another");
  rebuild("ce", "source_hash", "another");
  const auto found = reasons({});
  EXPECT_EQ(found.at("ce/resnet8/s0"), "plugin changed: ce 1.0.0 of other sources");
  EXPECT_EQ(found.at("ce/resnet8/s0 knn"), "its model changed; plugin changed: knn 1.1.0 of other sources");
  EXPECT_EQ(found.at("supcon/resnet8/s0 knn"), "plugin changed: knn 1.1.0 of other sources");
  EXPECT_EQ(found.at("supcon/resnet8/s0"), "planned before");
}

TEST_F(ChangesTest, OtherImagesAreNamed) {
  put();
  const auto found = reasons({"data.limit=8"});
  EXPECT_TRUE(found.at("ce/resnet8/s0").starts_with("images changed: ")) << found.at("ce/resnet8/s0");
  EXPECT_NE(found.at("ce/resnet8/s0").find("train"), std::string::npos) << found.at("ce/resnet8/s0");
}

TEST_F(ChangesTest, WhatDiffersInEverythingIsNew) {
  put();
  const auto found = reasons(
      {"train.lr=0.05", "train.epochs=7", "train.batch_size=9", "train.weight_decay=0.5", "train.momentum=0.5"});
  EXPECT_EQ(different(found), (std::set<std::string>{"new"}));
}

TEST_F(ChangesTest, TheNearestOfSeveralThatAreGoneCounts) {
  put({"train.lr=0.05,0.2,0.3", "train.epochs=7,8"});
  const auto found = reasons({"train.lr=0.05,0.2", "train.epochs=8,9"});
  EXPECT_EQ(found.at("ce/resnet8/s0 epochs=9 lr=0.2"), "config changed: train.epochs 7 → 9");
  EXPECT_EQ(found.at("ce/resnet8/s0 epochs=9 lr=0.05"), "config changed: train.epochs 7 → 9");
  EXPECT_EQ(found.at("ce/resnet8/s0 epochs=8 lr=0.2"), "planned before");
}

CostRow row(CellKind kind, const Plan& plan, const std::string& what, std::int64_t runs, double seconds) {
  return {.kind = kind,
          .benchmark = "smoke",
          .data_hash = plan.benchmarks[0].manifest.hash,
          .architecture = "resnet8",
          .what = what,
          .device = "cpu",
          .runs = runs,
          .seconds = seconds,
          .epochs = kind == CellKind::train ? runs * 10 : 0};
}

class EstimateTest : public ChangesTest {};

TEST_F(EstimateTest, NothingKnownIsNoEstimate) {
  EXPECT_FALSE(estimate(plan(), {}, 1));
  Plan done = plan();
  for (TrainCell& one : done.trains) one.cell.will_run = false;
  const std::vector<CostRow> costs{row(CellKind::train, done, "ce", 1, 5)};
  EXPECT_FALSE(estimate(done, costs, 1));
}

TEST_F(EstimateTest, TrainingGoesByTheEpochAndTheRestIsCounted) {
  const Plan made = plan({"losses=ce", "seeds=0,1,2", "train.epochs=30"});
  const auto found = estimate(made, {row(CellKind::train, made, "ce", 2, 40)}, 1);
  ASSERT_TRUE(found);
  EXPECT_DOUBLE_EQ(found->seconds, 3 * 30 * 2.0);
  EXPECT_EQ(found->known, 3);
  EXPECT_EQ(found->runs, 2);
  EXPECT_EQ(found->unknown, made.cells_to_run() - 3);
  EXPECT_DOUBLE_EQ(estimate(made, {row(CellKind::train, made, "ce", 2, 40)}, 2)->seconds, 90.0);
  EXPECT_DOUBLE_EQ(estimate(made, {row(CellKind::train, made, "ce", 2, 40)}, 9)->seconds, 60.0)
      << "one model is one child's";
}

TEST_F(EstimateTest, WhatIsMostAlikeCounts) {
  const Plan made = plan({"losses=ce", "postprocessor.knn.k=7"});
  CostRow same = row(CellKind::eval, made, "knn", 4, 4), other = row(CellKind::eval, made, "knn", 4, 40);
  same.params = made.postprocessors[1].shown;
  ASSERT_EQ(same.params, "k=7");
  EXPECT_DOUBLE_EQ(estimate(made, {other}, 1)->seconds, 10);
  EXPECT_DOUBLE_EQ(estimate(made, {same, other}, 1)->seconds, 1);
  CostRow partial = row(CellKind::eval, made, "knn", 4, 40);
  partial.data_hash = "another";
  EXPECT_DOUBLE_EQ(estimate(made, {partial}, 1)->seconds, 10);
  partial.flags = "partial";
  EXPECT_FALSE(estimate(made, {partial}, 1)) << "of fewer images";
  CostRow gpu = other;
  gpu.device = "cuda:0";
  EXPECT_FALSE(estimate(made, {gpu}, 1));
}

}  // namespace
}  // namespace nearfar
