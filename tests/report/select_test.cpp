/// Which results stand in one row, and what rows that are nearly the same say of themselves.
#include "report/select.h"

#include "report/fake_results.h"
#include "report/leaderboard.h"

#include <gtest/gtest.h>

namespace nearfar {
namespace {

using testing::all_at, testing::FakeResults, testing::subject, testing::with_factor, testing::without_factor;

class SelectTest : public ::testing::Test {
 protected:
  const LeaderboardBoard& board() {
    leaderboard_ = make_leaderboard(load_results(store_));
    return leaderboard_.boards.at(0);
  }
  /// "training_params | postprocessor_params | recipe: near AUROC ± deviation of n", by name.
  std::vector<std::string> rows() {
    std::vector<LeaderboardRow> sorted = board().rows;
    std::ranges::sort(sorted, {}, [](const LeaderboardRow& row) -> const RowName& { return row; });
    std::vector<std::string> texts;
    for (const LeaderboardRow& row : sorted) {
      const MeanStd near = *row.number("near", "mean", "auroc");
      texts.push_back(fmt::format("{} | {} | {}: {:.0f} ± {:.0f} of {}", row.training_params, row.postprocessor_params,
                                  row.recipe, near.mean * 100, near.std * 100, near.n));
    }
    return texts;
  }
  using Texts = std::vector<std::string>;

  static ResultSubject knn(std::int64_t seed) { return subject("ce", seed, "knn"); }
  static ResultSubject epochs(std::int64_t seed, std::int64_t count) {
    return with_factor(knn(seed), "train.epochs", count, count == 6);
  }

  FakeResults store_;
  Leaderboard leaderboard_;
};

TEST_F(SelectTest, OtherEpochsAreAnotherRow) {
  // 6 epochs gave 90, 1 epoch gave 60, under one recipe's name. Averaged as seeds they would be 75 ± 15.
  store_.add(epochs(0, 6), all_at(0.9));
  store_.add(epochs(1, 1), all_at(0.6));
  EXPECT_EQ(rows(), (Texts{"train.epochs=1 |  | short: 60 ± 0 of 1", "train.epochs=6 |  | short: 90 ± 0 of 1"}));
  EXPECT_EQ(board().differing_factors, (Texts{"train.epochs"}));
}

TEST_F(SelectTest, TheSameSeedsOfTwoConfigsDoNotReplaceEachOther) {
  for (const std::int64_t seed : {0, 1}) store_.add(epochs(seed, 6), all_at(seed == 0 ? 0.8 : 0.9));
  for (const std::int64_t seed : {0, 1}) store_.add(epochs(seed, 1), all_at(0.6));
  EXPECT_EQ(rows(), (Texts{"train.epochs=1 |  | short: 60 ± 0 of 2", "train.epochs=6 |  | short: 85 ± 5 of 2"}));
  EXPECT_EQ(leaderboard_.superseded_count, 0);
  EXPECT_EQ(board().rows.at(0).rank, 1);  // 85
  EXPECT_EQ(board().rows.at(1).rank, 2);
}

TEST_F(SelectTest, AMissingFactorEqualsItsDefault) {
  store_.add(epochs(0, 6), all_at(0.8));
  store_.add(without_factor(knn(1), "train.epochs"), all_at(0.9));
  EXPECT_EQ(rows(), (Texts{" |  | short: 85 ± 5 of 2"}));
  EXPECT_TRUE(board().differing_factors.empty());
}

TEST_F(SelectTest, ARowWithoutTheFactorSaysDefault) {
  store_.add(epochs(0, 1), all_at(0.6));
  store_.add(without_factor(knn(0), "train.epochs"), all_at(0.9));
  EXPECT_EQ(rows(), (Texts{"train.epochs=1 |  | short: 60 ± 0 of 1", "train.epochs=default |  | short: 90 ± 0 of 1"}));
}

TEST_F(SelectTest, AValueThatElsewhereIsTheDefaultIsTheDefault) {
  // As databases of version 1 keep it: nothing is known to be a default, whole numbers are integers.
  store_.add(with_factor(with_factor(knn(0), "train.epochs", std::int64_t{6}), "train.flip", std::int64_t{0}),
             all_at(0.8));
  store_.add(with_factor(epochs(1, 6), "train.flip", 0.0, true), all_at(0.9));
  EXPECT_EQ(rows(), (Texts{" |  | short: 85 ± 5 of 2"}));
}

TEST_F(SelectTest, AChangedDefaultIsComparedAsStored) {
  store_.add(with_factor(knn(0), "train.epochs", std::int64_t{6}, true), all_at(0.8));
  store_.add(with_factor(knn(1), "train.epochs", std::int64_t{10}, true), all_at(0.9));
  EXPECT_EQ(rows(), (Texts{"train.epochs=10 |  | short: 90 ± 0 of 1", "train.epochs=6 |  | short: 80 ± 0 of 1"}));
}

TEST_F(SelectTest, DefaultsOfParametersAreThoseOfTheirPlugin) {
  // k = 5 is the default of vim's, not of knn's.
  store_.add(with_factor(subject("ce", 0, "vim"), "postprocessor.k", std::int64_t{5}, true), all_at(0.5));
  store_.add(with_factor(knn(0), "postprocessor.k", std::int64_t{50}, true), all_at(0.8));
  store_.add(with_factor(knn(1), "postprocessor.k", std::int64_t{5}), all_at(0.9));
  EXPECT_EQ(rows(), (Texts{" | postprocessor.k=5 | short: 90 ± 0 of 1", " | postprocessor.k=50 | short: 80 ± 0 of 1",
                           " |  | short: 50 ± 0 of 1"}));
}

TEST_F(SelectTest, FactorsThatFieldsTellAreNotTold) {
  // One database has the factor, another has it in the row's own fields only.
  ResultSubject k5 = with_factor(subject("ce", 0, "knn", "k=5;tune={p=1,2}"), "postprocessor.k", std::int64_t{5});
  store_.add(with_factor(k5, "postprocessor.tune", "p=1,2"), all_at(0.8));
  store_.add(without_factor(subject("ce", 1, "knn", "k=5;tune={p=1,2}"), "model"), all_at(0.9));
  EXPECT_EQ(rows(), (Texts{" | k=5;tune={p=1,2} | short: 85 ± 5 of 2"}));
}

TEST_F(SelectTest, TheSeedIsNoFactor) {
  for (const std::int64_t seed : {0, 1}) store_.add(with_factor(knn(seed), "seed", seed), all_at(0.8));
  EXPECT_EQ(rows(), (Texts{" |  | short: 80 ± 0 of 2"}));
}

TEST_F(SelectTest, EqualFactorsUnderTwoRecipeNamesAreOneRow) {
  store_.add(knn(0), all_at(0.8));
  ResultSubject renamed = knn(1);
  renamed.recipe = "brief";
  store_.add(renamed, all_at(0.9));
  EXPECT_EQ(rows(), (Texts{" |  | brief/short: 85 ± 5 of 2"}));
}

TEST_F(SelectTest, OtherFactorsUnderTwoRecipeNamesNeedNoMoreWords) {
  store_.add(epochs(0, 6), all_at(0.9));
  ResultSubject brief = epochs(0, 1);
  brief.recipe = "brief";
  store_.add(brief, all_at(0.6));
  EXPECT_EQ(rows(), (Texts{" |  | brief: 60 ± 0 of 1", " |  | short: 90 ± 0 of 1"}));
}

TEST_F(SelectTest, EveryDifferingFactorIsToldAtItsSortedPlace) {
  for (const double lr : {0.1, 0.5}) {
    for (const std::int64_t count : {6, 1}) {
      ResultSubject supcon = with_factor(subject("supcon", 0, "knn"), "train.epochs", count, count == 6);
      supcon.training_params = "alpha=1;weight=2";
      store_.add(with_factor(supcon, "train.lr", lr, lr == 0.1), all_at(0.8));
    }
  }
  std::vector<std::string> params;
  for (const LeaderboardRow& row : board().rows) params.push_back(row.training_params);
  EXPECT_EQ(params,
            (Texts{"alpha=1;train.epochs=1;train.lr=0.1;weight=2", "alpha=1;train.epochs=1;train.lr=0.5;weight=2",
                   "alpha=1;train.epochs=6;train.lr=0.1;weight=2", "alpha=1;train.epochs=6;train.lr=0.5;weight=2"}));
  EXPECT_EQ(board().differing_factors, (Texts{"train.epochs", "train.lr"}));
}

TEST_F(SelectTest, RowsThatAreAloneShowNothingMore) {
  store_.add(epochs(0, 1), all_at(0.6));
  store_.add(with_factor(subject("ce", 0, "msp"), "train.lr", 0.5), all_at(0.7));
  EXPECT_EQ(rows(), (Texts{" |  | short: 60 ± 0 of 1", " |  | short: 70 ± 0 of 1"}));
  EXPECT_TRUE(board().differing_factors.empty());
}

TEST_F(SelectTest, HeadsAreToldWhereNothingElseDiffers) {
  ResultSubject mlp = subject("supcon", 0, "knn");
  mlp.head = "mlp";
  store_.add(mlp, all_at(0.6));
  store_.add(subject("supcon", 0, "knn"), all_at(0.7));
  EXPECT_EQ(rows(), (Texts{"head=mlp;temperature=0.2 |  | short: 60 ± 0 of 1",
                           "head=none;temperature=0.2 |  | short: 70 ± 0 of 1"}));
}

TEST_F(SelectTest, HeadsAreNotToldWhereAFactorTellsThem) {
  ResultSubject linear = with_factor(subject("supcon", 0, "knn"), "train.projection", "linear");
  linear.head = "linear projection";
  store_.add(linear, all_at(0.6));
  store_.add(with_factor(subject("supcon", 0, "knn"), "train.projection", "mlp", true), all_at(0.7));
  EXPECT_EQ(rows(), (Texts{"temperature=0.2;train.projection=linear |  | short: 60 ± 0 of 1",
                           "temperature=0.2;train.projection=mlp |  | short: 70 ± 0 of 1"}));
}

TEST_F(SelectTest, NewestVersionReplacesOlderOnesAsAWhole) {
  for (const std::int64_t seed : {0, 1, 2}) store_.add(knn(seed), all_at(0.9));
  for (const std::int64_t seed : {0, 1}) {
    ResultSubject fixed = knn(seed);
    fixed.postprocessor_source_hash = "fixed";
    store_.add(fixed, all_at(0.7));
  }
  EXPECT_EQ(rows(), (Texts{" |  | short: 70 ± 0 of 2"}));
  EXPECT_EQ(leaderboard_.superseded_count, 1);
}

TEST_F(SelectTest, VersionsOfAPluginAreRowsWithTheVersionInTheName) {
  for (const char* version : {"1.0.0", "1.2.0"}) {
    ResultSubject one = knn(0);
    one.postprocessor_version = version;
    one.postprocessor_source_hash = std::string("source of ") + version;
    store_.add(one, all_at(version[2] == '0' ? 0.6 : 0.7));
  }
  store_.add(subject("ce", 0, "msp"), all_at(0.5));
  std::vector<std::string> names;
  for (const LeaderboardRow& row : board().rows) names.push_back(row.training + " " + row.postprocessor);
  std::ranges::sort(names);
  EXPECT_EQ(names, (Texts{"ce knn@1.0.0", "ce knn@1.2.0", "ce msp"}));
  EXPECT_EQ(leaderboard_.superseded_count, 0);
}

TEST_F(SelectTest, NumericsAndLossesHaveVersionsToo) {
  store_.add(knn(0), all_at(0.9));
  ResultSubject newer = knn(0);
  newer.numerics = "2";
  store_.add(newer, all_at(0.8));
  newer.training_source_hash = "fixed";
  store_.add(newer, all_at(0.7));
  EXPECT_EQ(rows(), (Texts{" |  | short: 70 ± 0 of 1"}));
  EXPECT_EQ(leaderboard_.superseded_count, 2);
}

TEST_F(SelectTest, OfOneVersionAndSeedTheNewestRunCounts) {
  ResultSubject again = knn(0);
  again.cell_key = "a";  // first in the frame, but run last
  store_.add(knn(0), all_at(0.9));
  store_.add(again, all_at(0.7));
  EXPECT_EQ(rows(), (Texts{" |  | short: 70 ± 0 of 1"}));
}

}  // namespace
}  // namespace nearfar
