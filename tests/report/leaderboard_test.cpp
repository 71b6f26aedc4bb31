/// Which rows there are, what is aggregated, what is ranked against what.
#include "report/leaderboard.h"

#include "base/files.h"
#include "store/sample.h"

#include <gtest/gtest.h>

#include <cmath>

namespace nearfar {
namespace {

using testing::eval_cell, testing::eval_result, testing::run_eval, testing::run_train, testing::train_cell,
    testing::train_result;

TEST(Aggregate, IsMeanAndPopulationDeviation) {
  const Aggregate two = aggregate({0.8, 0.9});  // mean 0.85, deviations -0.05 and 0.05
  EXPECT_DOUBLE_EQ(two.mean, 0.85);
  EXPECT_NEAR(two.std, 0.05, 1e-15);
  EXPECT_EQ(two.seed_count, 2);
  EXPECT_EQ(aggregate({0.7}).std, 0);
}

class LeaderboardTest : public ::testing::Test {
 protected:
  const LeaderboardRow& row(const std::string& training, const std::string& postprocessor) {
    board_ = load_leaderboard(store_);
    for (const LeaderboardRow& row : board_.boards.at(0).rows) {
      if (row.training == training && row.postprocessor == postprocessor) return row;
    }
    throw std::out_of_range("no row " + training + " " + postprocessor);
  }
  /// A model with one evaluation on two seeds, all sets at `auroc`.
  void add_method(const std::string& postprocessor, double auroc, const std::string& flags = "") {
    for (const std::int64_t seed : {0, 1}) {
      CellRecord cell = eval_cell(train_cell("ce", seed), postprocessor);
      cell.flags = flags;
      store_.put_cell(experiment_, cell, 100);
      run_eval(store_, cell, eval_result({auroc, auroc, auroc, 1}, {0.5, 0.5, 0.5, 0}));
    }
  }
  void SetUp() override {
    testing::fill_sample(store_);
    experiment_ = store_.put_experiment("sample", "canonical", "c0");
  }

  TempDir folder_;
  Store store_ = Store::open(folder_.path() / "results.sqlite");
  Leaderboard board_;
  std::int64_t experiment_ = 0;
};

TEST_F(LeaderboardTest, MeansAreOverSetsThenOverSeeds) {
  // ce knn: far of seed 0 = (0.90 + 0.94) / 2 = 0.92, of seed 1 = 0.94; mean 0.93, population std 0.01
  const Aggregate* far = row("ce", "knn").number("far", "mean", "auroc");
  ASSERT_TRUE(far);
  EXPECT_NEAR(far->mean, 0.93, 1e-12);
  EXPECT_NEAR(far->std, 0.01, 1e-12);
  EXPECT_EQ(far->seed_count, 2);
}

TEST_F(LeaderboardTest, ControlSetsEnterNoMean) {
  const LeaderboardRow& supcon = row("supcon", "knn");  // its control is at 0.5
  EXPECT_NEAR(supcon.number("far", "mean", "auroc")->mean, 0.96, 1e-12);
  EXPECT_NEAR(supcon.number("control", "noise", "auroc")->mean, 0.5, 1e-12);
  EXPECT_FALSE(supcon.number("control", "mean", "auroc"));
}

TEST_F(LeaderboardTest, RanksByTheAverageOfNearAndFarAndTiesShareARank) {
  EXPECT_EQ(row("supcon", "knn").rank, 1);  // (90 + 96) / 2
  EXPECT_EQ(row("ce", "knn").rank, 2);      // (81 + 93) / 2
  EXPECT_EQ(row("ce", "msp").rank, 2);
  add_method("worst", 0.1);
  EXPECT_EQ(row("ce", "worst").rank, 4);  // two rows share 2, so 3 is not given
}

TEST_F(LeaderboardTest, RowThatMissesASeedIsListedBelow) {
  const LeaderboardRow& mds = row("ce", "mds");  // 99, but of one seed
  EXPECT_FALSE(mds.rank);
  EXPECT_EQ(mds.unranked_reason, "other seeds");
  EXPECT_EQ(mds.seeds, (std::vector<std::int64_t>{0}));
  EXPECT_EQ(board_.boards[0].rows.back().postprocessor, "mds");
  EXPECT_EQ(board_.boards[0].ranked_seeds, (std::vector<std::int64_t>{0, 1}));
}

TEST_F(LeaderboardTest, PartialNeverRanks) {
  add_method("best", 1.0, "partial");
  const LeaderboardRow& best = row("ce", "best");
  EXPECT_FALSE(best.rank);
  EXPECT_EQ(best.flags, "partial");
  EXPECT_EQ(row("supcon", "knn").rank, 1);
}

TEST_F(LeaderboardTest, TheControlNeverRanks) {
  add_method("random", 1.0);  // however lucky
  const LeaderboardRow& control = row("ce", "random");
  EXPECT_FALSE(control.rank);
  EXPECT_EQ(control.unranked_reason, "control");
  EXPECT_EQ(control.flags, "control");
  EXPECT_EQ(row("supcon", "knn").rank, 1);
  EXPECT_EQ(row("ce", "knn").flags, "");
}

TEST_F(LeaderboardTest, TheControlKeepsItsOtherFlags) {
  add_method("random", 0.5, "partial;count-mismatch");
  EXPECT_EQ(row("ce", "random").flags, "control;count-mismatch;partial");
  EXPECT_EQ(row("ce", "random").unranked_reason, "control");
}

TEST_F(LeaderboardTest, CountMismatchRanksAmongItsOwnManifest) {
  add_method("best", 1.0, "count-mismatch");
  EXPECT_EQ(row("ce", "best").rank, 1);
  BenchmarkRecord other = testing::sample_benchmark();
  other.data_hash = "other";
  store_.put_benchmark(other);
  CellRecord model = train_cell("ce", 0);
  model.data_hash = "other";
  model.key = sha256("other model");
  CellRecord cell = eval_cell(model, "knn");
  cell.key = sha256("other cell");
  store_.put_cell(experiment_, model, 200);
  store_.put_cell(experiment_, cell, 201);
  run_eval(store_, cell, eval_result({1, 1, 1, 1}, {0, 0, 0, 0}));
  const Leaderboard both = load_leaderboard(store_);
  ASSERT_EQ(both.boards.size(), 2u);
  EXPECT_EQ(both.boards[1].data_hash, "other");
  EXPECT_EQ(both.boards[1].rows.at(0).rank, 1);
}

TEST_F(LeaderboardTest, RowThatLacksASetHasNoMeanOfItsGroup) {
  for (const std::int64_t seed : {0, 1}) {
    const CellRecord cell = eval_cell(train_cell("ce", seed), "short-cut");
    store_.put_cell(experiment_, cell, 100);
    EvalResult result = eval_result({1, 1, 1, 1}, {0, 0, 0, 0});
    std::erase_if(result.metrics, [](const MetricRow& metric) { return metric.dataset == "digits"; });
    run_eval(store_, cell, result);
  }
  const LeaderboardRow& cut = row("ce", "short-cut");
  EXPECT_FALSE(cut.number("far", "mean", "auroc"));
  EXPECT_TRUE(cut.number("near", "mean", "auroc"));
  EXPECT_EQ(cut.unranked_reason, "incomplete");
}

TEST_F(LeaderboardTest, NewestVersionReplacesOlderOnesAsAWhole) {
  // The same method again, from another plugin source, on both seeds: other cell keys, same row.
  const std::int64_t fixed = store_.put_plugin({"postprocessor", "knn", "1.0.1", "fixed", "b3", "tag"});
  for (const std::int64_t seed : {0, 1}) {
    CellRecord cell = eval_cell(train_cell("ce", seed), "knn");
    cell.key = sha256("fixed" + cell.key);
    store_.put_cell(experiment_, cell, 100);
    run_eval(store_, cell, eval_result({0.7, 0.7, 0.7, 1}, {0.5, 0.5, 0.5, 0}), fixed);
  }
  EXPECT_NEAR(row("ce", "knn").number("near", "mean", "auroc")->mean, 0.7, 1e-12);
  EXPECT_EQ(row("ce", "knn").seeds.size(), 2u);
  EXPECT_EQ(board_.superseded_count, 1);
}

TEST_F(LeaderboardTest, TellsWhatIsMissingAndWhy) {
  const Leaderboard leaderboard = load_leaderboard(store_);
  ASSERT_EQ(leaderboard.not_applicable.size(), 2u);
  EXPECT_EQ(leaderboard.not_applicable[0].label, "supcon/net/s0 msp");
  EXPECT_EQ(leaderboard.not_applicable[0].reason, "msp needs logits; supcon trains no linear head");
  ASSERT_EQ(leaderboard.failed.size(), 1u);
  EXPECT_EQ(leaderboard.failed[0].reason, "singular covariance");
  EXPECT_EQ(leaderboard.waiting_count, 0);
}

TEST_F(LeaderboardTest, KnowsTheProvenanceOfWhatItShows) {
  const Leaderboard leaderboard = load_leaderboard(store_);
  ASSERT_EQ(leaderboard.plugins.size(), 2u);
  EXPECT_EQ(leaderboard.plugins[1].name, "knn");
  EXPECT_EQ(leaderboard.plugins[1].source_hash, "4nn50urce");
  EXPECT_EQ(leaderboard.engine_versions, (std::vector<std::string>{"0.1.0"}));
}

TEST_F(LeaderboardTest, FiltersByExperimentBenchmarkAndProtocol) {
  EXPECT_EQ(load_leaderboard(store_, {.experiment = "sample"}).boards.size(), 1u);
  EXPECT_TRUE(load_leaderboard(store_, {.experiment = "none"}).boards.empty());
  EXPECT_TRUE(load_leaderboard(store_, {.benchmark = "none"}).boards.empty());
  EXPECT_TRUE(load_leaderboard(store_, {.protocol = "fsood"}).boards.empty());
}

TEST_F(LeaderboardTest, FsoodUsesThePooledAccuracy) {
  const CellRecord model = train_cell("ce", 0, "fs=1"), cell = eval_cell(model, "knn", "fs=1");
  store_.put_cell(experiment_, model, 100);
  store_.put_cell(experiment_, cell, 101);
  TrainResult trained = train_result(0.95, "linear");
  trained.metrics = {{"fsood", "id", "test+csid", "accuracy", 0.6}};
  run_train(store_, model, trained);
  EvalResult result = eval_result({1, 1, 1, 1}, {0, 0, 0, 0});
  for (const MetricRow& metric : std::vector(result.metrics))
    result.metrics.push_back({"fsood", metric.group, metric.dataset, metric.metric, 0.5});
  run_eval(store_, cell, result);
  const Leaderboard fsood = load_leaderboard(store_, {.protocol = "fsood"});
  ASSERT_EQ(fsood.boards.size(), 1u);
  EXPECT_EQ(fsood.boards[0].rows.at(0).accuracy()->mean, 0.6);
  EXPECT_EQ(fsood.boards[0].rows.at(0).numbers.at(0).dataset, "test+csid");
}

}  // namespace
}  // namespace nearfar
