/// What ranks are worth: with scores that are apart, alike, or not to be had.
#include "report/ranks.h"

#include "base/error.h"
#include "metrics/ranking.h"
#include "report/fake_results.h"

#include <gtest/gtest.h>

#include <random>

namespace nearfar {
namespace {

using testing::FakeResults, testing::sample_benchmark, testing::subject;

constexpr std::size_t kImages = 400;

/// Methods whose scores of OOD images lie `shift` above those of ID images, of the same images each.
class Ranks : public ::testing::Test {
 protected:
  void add(const std::string& method, double shift, std::vector<std::int64_t> seeds) {
    for (const std::int64_t seed : seeds) {
      ResultSubject result = subject("ce", seed, method);
      result.cell_key = method + std::to_string(seed);
      std::mt19937 random(7);                             // the images are the same for all
      std::normal_distribution<double> noise, own_noise;  // each keeps a number back
      // What a method makes of an image besides: its own.
      std::mt19937 own(static_cast<unsigned>(std::hash<std::string>()(method)) + static_cast<unsigned>(seed));
      Scores scores;
      for (const std::string set : {"test", "near/cousins", "far/digits", "far/letters", "control/noise"}) {
        std::vector<double>& values = scores[set];
        for (std::size_t i = 0; i < kImages; ++i)
          values.push_back((set == "test" ? 0 : shift) + noise(random) + 0.05 * own_noise(own));
      }
      std::vector<MetricRow> rows = {{"ood", "id", "test", "accuracy", 0.9}};
      for (const auto& [set, values] : scores) {
        if (set == "test") continue;
        const std::size_t slash = set.find('/');
        const OodMetrics m = ood_metrics(scores.at("test"), values);
        rows.push_back({"ood", set.substr(0, slash), set.substr(slash + 1), "auroc", m.auroc});
        rows.push_back({"ood", set.substr(0, slash), set.substr(slash + 1), "fpr95", m.fpr95});
      }
      scores_[result.cell_key] = scores;
      store_.add(result, rows);
    }
  }

  RankRequest request() {
    return {.scores = [this](int, const ResultSubject& result) {
      ++reads_;
      const auto found = scores_.find(result.cell_key);
      if (found == scores_.end()) throw Error(ErrorKind::data, "its file is gone");
      return found->second;
    }};
  }
  LeaderboardBoard board(const RankRequest& ranks) {
    return make_leaderboard(load_results(store_), &ranks).boards.at(0);
  }

  FakeResults store_ = [] {
    FakeResults store;
    store.known = {sample_benchmark()};
    return store;
  }();
  std::map<std::string, Scores> scores_;
  int reads_ = 0;
};

Mark mark_of(const LeaderboardRow& row, std::string_view group, std::string_view dataset, std::string_view metric) {
  for (const LeaderboardNumber& number : row.numbers) {
    if (number.group == group && number.dataset == dataset && number.metric == metric) return number.mark;
  }
  ADD_FAILURE() << "no such number";
  return Mark::none;
}

TEST_F(Ranks, MethodsThatAreFarApartHaveOneRankEach) {
  add("knn", 2, {0});
  add("msp", 1, {0});
  add("mds", 0.3, {0});
  const LeaderboardBoard made = board(request());
  EXPECT_EQ(made.intervals_from, "images");
  ASSERT_EQ(made.rows.size(), 3u);
  for (int i = 0; i < 3; ++i) {
    const LeaderboardRow& row = made.rows[static_cast<std::size_t>(i)];
    EXPECT_EQ(row.rank, i + 1);
    EXPECT_EQ(row.rank_low, i + 1);
    EXPECT_EQ(row.rank_high, i + 1);
  }
  EXPECT_EQ(mark_of(made.rows[0], "near", "mean", "auroc"), Mark::best);
  EXPECT_EQ(mark_of(made.rows[1], "near", "mean", "auroc"), Mark::second);
  EXPECT_EQ(mark_of(made.rows[2], "near", "mean", "auroc"), Mark::none);
  EXPECT_EQ(mark_of(made.rows[0], "far", "letters", "auroc"), Mark::best);
  EXPECT_EQ(mark_of(made.rows[0], "near", "mean", "fpr95"), Mark::none) << "one seed says nothing of other metrics";
  EXPECT_EQ(mark_of(made.rows[0], "control", "noise", "auroc"), Mark::none);
}

TEST_F(Ranks, MethodsThatAreAlikeShareTheirRanks) {
  add("knn", 1, {0, 1, 2});
  add("msp", 1, {0, 1, 2});
  add("mds", 0.2, {0, 1, 2});
  const LeaderboardBoard made = board(request());
  EXPECT_EQ(made.intervals_from, "images and seeds");
  for (const std::size_t i : {0u, 1u}) {
    EXPECT_EQ(made.rows[i].rank_low, 1);
    EXPECT_EQ(made.rows[i].rank_high, 2);
    EXPECT_EQ(mark_of(made.rows[i], "near", "mean", "auroc"), Mark::none) << "nobody is really best";
  }
  EXPECT_EQ(made.rows[2].rank_low, 3);
  EXPECT_EQ(made.rows[2].rank_high, 3);
}

TEST_F(Ranks, ScoresThatAreGoneLeaveTheSeeds) {
  add("knn", 2, {0, 1, 2});
  add("msp", 1, {0, 1, 2});
  scores_.erase("msp1");
  const LeaderboardBoard made = board(request());
  EXPECT_EQ(made.intervals_from, "seeds");
  EXPECT_EQ(made.rows[0].rank_high, 1);
  EXPECT_EQ(mark_of(made.rows[0], "near", "mean", "auroc"), Mark::best) << "three seeds tell these apart";
  EXPECT_EQ(mark_of(made.rows[0], "near", "mean", "fpr95"), Mark::best);
}

TEST_F(Ranks, OneSeedWithoutScoresSaysNothing) {
  add("knn", 2, {0});
  add("msp", 1, {0});
  scores_.clear();
  const LeaderboardBoard made = board(request());
  EXPECT_EQ(made.intervals_from, "");
  EXPECT_EQ(made.rows[0].rank, 1);
  EXPECT_EQ(made.rows[0].rank_low, std::nullopt);
  EXPECT_EQ(mark_of(made.rows[0], "near", "mean", "auroc"), Mark::none);
}

TEST_F(Ranks, TooManyScoresAreNotRead) {
  add("knn", 2, {0, 1});
  add("msp", 1, {0, 1});
  RankRequest few = request();
  few.most_scores = 100;
  EXPECT_EQ(board(few).intervals_from, "seeds");
  EXPECT_EQ(reads_, 0);
}

TEST_F(Ranks, RowsWithoutARankHaveNoInterval) {
  add("knn", 2, {0, 1});
  add("msp", 1, {0, 1});
  add("random", 0, {0, 1});
  const LeaderboardBoard made = board(request());
  EXPECT_EQ(made.rows.back().postprocessor, "random");
  EXPECT_EQ(made.rows.back().rank_low, std::nullopt);
  EXPECT_EQ(made.rows.back().rank_high, std::nullopt);
}

TEST_F(Ranks, TheSameIsDrawnEveryTime) {
  add("knn", 1, {0, 1});
  add("msp", 0.98, {0, 1});
  add("mds", 0.95, {0, 1});
  const LeaderboardBoard first = board(request()), again = board(request());
  for (std::size_t i = 0; i < first.rows.size(); ++i) {
    EXPECT_EQ(first.rows[i].rank_low, again.rows[i].rank_low);
    EXPECT_EQ(first.rows[i].rank_high, again.rows[i].rank_high);
  }
}

}  // namespace
}  // namespace nearfar
