/// What is aggregated, what is ranked against what, what is told of the rest.
#include "report/leaderboard.h"

#include "report/fake_results.h"

#include <gtest/gtest.h>

#include <cmath>

namespace nearfar {
namespace {

using testing::all_at, testing::FakeResults, testing::sample, testing::subject, testing::values;

class LeaderboardTest : public ::testing::Test {
 protected:
  Leaderboard load(const ReportFilter& filter = {}) const { return make_leaderboard(load_results(store_, filter)); }
  const LeaderboardRow& row(const std::string& training, const std::string& postprocessor) {
    board_ = load();
    for (const LeaderboardRow& row : board_.boards.at(0).rows) {
      if (row.training == training && row.postprocessor == postprocessor) return row;
    }
    throw std::out_of_range("no row " + training + " " + postprocessor);
  }
  /// A model with one evaluation on two seeds, all sets at `auroc`.
  void add_method(const std::string& postprocessor, double auroc, const std::string& flags = "") {
    for (const std::int64_t seed : {0, 1}) {
      ResultSubject method = subject("ce", seed, postprocessor);
      method.flags = flags;
      store_.add(method, all_at(auroc));
    }
  }

  FakeResults store_ = sample();
  Leaderboard board_;
};

TEST_F(LeaderboardTest, MeansAreOverSetsThenOverSeeds) {
  // ce knn: far of seed 0 = (0.90 + 0.94) / 2 = 0.92, of seed 1 = 0.94; mean 0.93, population std 0.01
  const MeanStd* far = row("ce", "knn").number("far", "mean", "auroc");
  ASSERT_TRUE(far);
  EXPECT_NEAR(far->mean, 0.93, 1e-12);
  EXPECT_NEAR(far->std, 0.01, 1e-12);
  EXPECT_EQ(far->n, 2U);
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
  ResultSubject other = subject("ce", 0, "knn");
  other.data_hash = "other";
  store_.add(other, all_at(1));
  const Leaderboard both = load();
  ASSERT_EQ(both.boards.size(), 2U);
  EXPECT_EQ(both.boards[0].data_hash, "other");  // the newest result
  EXPECT_EQ(both.boards[0].rows.at(0).rank, 1);
  // Not every form has a board's title: a row says itself which data it is about.
  EXPECT_EQ(both.boards[0].rows.at(0).flags, "data=other");
  for (const LeaderboardRow& old : both.boards[1].rows)
    EXPECT_NE(old.flags.find("data=" + both.boards[1].data_hash.substr(0, 12)), std::string::npos) << old.flags;
}

TEST_F(LeaderboardTest, RowThatLacksASetHasNoMeanOfItsGroup) {
  for (const std::int64_t seed : {0, 1}) {
    std::vector<MetricRow> cut = all_at(1);
    std::erase_if(cut, [](const MetricRow& metric) { return metric.dataset == "digits"; });
    store_.add(subject("ce", seed, "short-cut"), cut);
  }
  const LeaderboardRow& cut = row("ce", "short-cut");
  EXPECT_FALSE(cut.number("far", "mean", "auroc"));
  EXPECT_TRUE(cut.number("near", "mean", "auroc"));
  EXPECT_EQ(cut.unranked_reason, "incomplete");
}

TEST_F(LeaderboardTest, SetsComeInTheBenchmarksOrderAndUnknownOnesByName) {
  store_.known[0].sets = {{"letters", "far", "", 0}, {"digits", "far", "", 0}, {"cousins", "near", "", 0}};
  const Leaderboard leaderboard = load();
  std::vector<std::string> names;
  for (const BenchmarkSet& set : leaderboard.boards.at(0).sets) names.push_back(set.group + "/" + set.name);
  EXPECT_EQ(names, (std::vector<std::string>{"near/cousins", "far/letters", "far/digits", "control/noise"}));
}

TEST_F(LeaderboardTest, TellsWhatIsMissingAndWhyForCellsOfEveryKind) {
  store_.add_gap(CellKind::features, "ce/net/s0 features of near/cousins", CellState::crashed, "signal 9");
  store_.add_gap(CellKind::accuracy, "ce/net/s0 accuracy", CellState::timeout, "60 s");
  store_.add_gap(CellKind::train, "palm/net/s0", CellState::nan, "loss is NaN");
  const Leaderboard leaderboard = load();
  ASSERT_EQ(leaderboard.not_applicable.size(), 2U);
  EXPECT_EQ(leaderboard.not_applicable[0].label, "supcon/net/s0 msp");
  EXPECT_EQ(leaderboard.not_applicable[0].reason, "msp needs logits; supcon trains no linear head");
  ASSERT_EQ(leaderboard.failed.size(), 4U);
  EXPECT_EQ(leaderboard.failed[0].reason, "singular covariance");
  EXPECT_EQ(leaderboard.failed[1].label, "ce/net/s0 features of near/cousins");
  EXPECT_EQ(leaderboard.failed[2].state, CellState::timeout);
  EXPECT_EQ(leaderboard.failed[3].label, "palm/net/s0");
  EXPECT_EQ(leaderboard.waiting_count, 0);
}

TEST_F(LeaderboardTest, WaitsForWhatTheStoreWaitsForAndReadsNoPlannedCell) {
  // The fake throws where planned cells are read; those of abandoned configs are listed, but not waited for.
  for (int i = 0; i < 100; ++i) store_.add_gap(CellKind::eval, "abandoned", CellState::planned, "");
  store_.waiting = 3;
  EXPECT_EQ(load().waiting_count, 3);
}

TEST_F(LeaderboardTest, KnowsTheProvenanceOfWhatItShows) {
  const Leaderboard leaderboard = load();
  ASSERT_EQ(leaderboard.plugins.size(), 2U);
  EXPECT_EQ(leaderboard.plugins[1].name, "knn");
  EXPECT_EQ(leaderboard.plugins[1].source_hash, "4nn50urce");
  EXPECT_EQ(leaderboard.engine_versions, (std::vector<std::string>{"0.1.0"}));
}

TEST_F(LeaderboardTest, FiltersByExperimentBenchmarkAndProtocol) {
  EXPECT_EQ(load({.experiment = "sample"}).boards.size(), 1U);
  EXPECT_TRUE(load({.experiment = "none"}).boards.empty());
  EXPECT_TRUE(load({.experiment = "none"}).failed.empty());
  EXPECT_TRUE(load({.benchmark = "none"}).boards.empty());
  EXPECT_TRUE(load({.benchmark = "none"}).failed.empty());
  EXPECT_EQ(load({.benchmark = "tiny"}).failed.size(), 1U);
  EXPECT_TRUE(load({.protocol = "fsood"}).boards.empty());
}

TEST_F(LeaderboardTest, FsoodUsesThePooledAccuracy) {
  std::vector<MetricRow> both = values({1, 1, 1, 1}, {0, 0, 0, 0});
  for (const MetricRow& metric : std::vector(both)) {
    if (metric.group != "id") both.push_back({"fsood", metric.group, metric.dataset, metric.metric, 0.5});
  }
  both.push_back({"fsood", "id", "test+csid", "accuracy", 0.6});
  store_.add(subject("ce", 0, "both"), both);
  const Leaderboard fsood = load({.protocol = "fsood"});
  ASSERT_EQ(fsood.boards.size(), 1U);
  EXPECT_EQ(fsood.boards[0].rows.at(0).accuracy()->mean, 0.6);
  EXPECT_EQ(fsood.boards[0].rows.at(0).numbers.at(0).dataset, "test+csid");
}

TEST_F(LeaderboardTest, EachBenchmarkHasBoardsOfItsOwn) {
  store_.known.push_back(testing::sample_benchmark("grand"));
  ResultSubject elsewhere = subject("ce", 0, "knn");
  elsewhere.benchmark = "grand";
  store_.add(elsewhere, all_at(0.6));
  const Leaderboard both = load();
  ASSERT_EQ(both.boards.size(), 2U);
  EXPECT_EQ(both.boards[0].benchmark, "grand");
  ASSERT_EQ(both.boards[0].rows.size(), 1U);
  EXPECT_EQ(both.boards[0].rows[0].rank, 1);  // among the seeds of its own board
  EXPECT_EQ(both.boards[1].rows.size(), 4U);
  EXPECT_TRUE(both.boards[1].differing_factors.empty());
  EXPECT_EQ(load({.benchmark = "grand"}).boards.size(), 1U);
}

}  // namespace
}  // namespace nearfar
