/// Which rows are compared, in which direction, and what decides. The statistics themselves: tests/metrics.
#include "report/compare.h"

#include "base/error.h"
#include "base/text.h"
#include "report/scored_results.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace nearfar {
namespace {

class Database : public testing::ScoredResults {
 public:
  Comparison compare(const std::string& a, const std::string& b) const {
    return compare_rows(frame(), {.a = RowChoice::from_text(a), .b = RowChoice::from_text(b), .resamples = 60},
                        [this](int, const ResultSubject& subject) { return scores_of(subject); });
  }
  std::string refusal(const std::string& a, const std::string& b) const {
    try {
      compare(a, b);
      return "";
    } catch (const Error& error) {
      return error.what();
    }
  }
};

Database two_losses() {
  Database database;
  for (const std::int64_t seed : {0, 1, 2}) {
    database.add("ce", "knn", seed, 1.0);
    database.add("ce", "msp", seed, 1.0);
    database.add("supcon", "knn", seed, 2.0);
  }
  return database;
}

const ComparedNumber& number(const ComparedPair& pair, const std::string& group, const std::string& dataset,
                             const std::string& metric) {
  const auto found = std::ranges::find_if(pair.numbers, [&](const ComparedNumber& one) {
    return one.group == group && one.dataset == dataset && one.metric == metric;
  });
  if (found == pair.numbers.end()) throw std::logic_error("no such number");
  return *found;
}

TEST(Compare, LossesArePairedByTheRest) {
  const Comparison found = two_losses().compare("ce", "supcon");
  ASSERT_EQ(found.pairs.size(), 1u);
  const ComparedPair& pair = found.pairs[0];
  EXPECT_EQ(pair.a.training, "ce");
  EXPECT_EQ(pair.b.training, "supcon");
  EXPECT_EQ(pair.b.postprocessor, "knn");
  EXPECT_EQ(pair.seeds, (std::vector<std::int64_t>{0, 1, 2}));
  ASSERT_EQ(found.left_out.size(), 1u);
  EXPECT_NE(found.left_out[0].find("ce/net msp has no partner (supcon/net knn differs in postprocessor msp, knn)"),
            std::string::npos)
      << found.left_out[0];
  EXPECT_FALSE(found.regression());
  EXPECT_TRUE(two_losses().compare("supcon", "ce").regression());
}

TEST(Compare, TheDifferenceIsBMinusA) {
  const ComparedPair pair = two_losses().compare("ce", "supcon").pairs[0];
  for (const char* group : {"near", "far"}) {
    const ComparedNumber& mean = number(pair, group, "mean", "auroc");
    EXPECT_NEAR(mean.difference.estimate, mean.b - mean.a, 1e-12);
    EXPECT_GT(mean.difference.low, 0);
    EXPECT_TRUE(mean.significant);
    EXPECT_GE(mean.adjusted_p, mean.difference.p);
    EXPECT_LT(number(pair, group, "mean", "fpr95").difference.estimate, 0);
    EXPECT_FALSE(number(pair, group, "mean", "fpr95").significant) << "it decides nothing";
  }
  const double both = number(pair, "near", "cousins", "auroc").b + number(pair, "near", "uncles", "auroc").b;
  EXPECT_NEAR(number(pair, "near", "mean", "auroc").b, both / 2, 1e-12);
  EXPECT_EQ(pair.sets, 3u);
}

TEST(Compare, AMethodAgainstItselfUnderAnotherNameShowsNothing) {
  Database database;
  for (const std::int64_t seed : {0, 1}) {
    database.add("ce", "knn", seed, 1.0);
    database.add("ce", "msp", seed, 1.0);  // the same scores
  }
  const Comparison found = database.compare("knn", "msp");
  EXPECT_FALSE(found.regression());
  EXPECT_EQ(number(found.pairs[0], "near", "mean", "auroc").difference.p, 1);
}

TEST(Compare, SettingsByTheirKeysAndTheEndsOfThem) {
  Database database;
  for (const std::int64_t seed : {0, 1}) {
    database.add("ce", "knn", seed, 1.0, {{"train.lr", 0.1, true}});
    database.add("ce", "knn", seed, 2.0, {{"train.lr", 0.5, false}});
    database.add("ce", "msp", seed, 1.0, {{"train.lr", 0.1, true}});
    database.add("ce", "msp", seed, 2.0, {{"train.lr", 0.5, false}});
  }
  EXPECT_EQ(database.compare("train.lr=0.1", "lr=0.5").pairs.size(), 2u) << "one for each postprocessor";
  EXPECT_EQ(database.compare("lr=0.1,postprocessor=msp", "lr=0.5 msp").pairs.size(), 1u);
  EXPECT_EQ(database.compare("knn", "msp").pairs.size(), 2u) << "one for each rate";
  EXPECT_NE(database.refusal("lr=0.1 msp", "ce").find("may be compared with"), std::string::npos);
}

TEST(Compare, LossesOfOtherRecipesArePairedAndSaySo) {
  Database database;
  for (const std::int64_t seed : {0, 1}) {
    database.add("ce", "knn", seed, 1.0, {{"train.lr", 0.2, false}});
    database.add("supcon", "knn", seed, 1.0, {{"train.lr", 0.5, false}});
  }
  const Comparison found = database.compare("ce", "supcon");
  ASSERT_EQ(found.pairs.size(), 1u);
  EXPECT_EQ(found.pairs[0].also_differ, (std::vector<std::string>{"train.lr 0.2, 0.5"}));
  EXPECT_NE(comparison_text(found).find("They also differ in train.lr 0.2, 0.5."), std::string::npos);
}

TEST(Compare, OnlySeedsThatBothHave) {
  Database database = two_losses();
  database.add("ce", "knn", 7, 9.0);
  database.add("supcon", "knn", 8, 9.0);
  EXPECT_EQ(database.compare("ce", "supcon").pairs[0].seeds, (std::vector<std::int64_t>{0, 1, 2}));
  Database apart;
  apart.add("ce", "knn", 0, 1.0);
  apart.add("supcon", "knn", 1, 1.0);
  EXPECT_NE(apart.refusal("ce", "supcon").find("no seed in common"), std::string::npos);
}

TEST(Compare, WhatFitsNothingOrTooMuchIsTold) {
  const Database database = two_losses();
  EXPECT_NE(database.refusal("ce", "nothing").find("'nothing' fits no row with results; there are: ce/net knn"),
            std::string::npos);
  EXPECT_NE(database.refusal("ce/s0", "supcon").find("seeds are averaged"), std::string::npos);
  EXPECT_NE(database.refusal("loss=", "supcon").find("expected key=value"), std::string::npos);
}

TEST(Compare, ScoresThatDoNotGiveTheStoredMetricAreRefused) {
  Database scores = two_losses();
  scores.change_a_score();
  EXPECT_NE(scores.refusal("ce", "supcon").find("db check --deep"), std::string::npos);
  Database metrics = two_losses();
  metrics.change_a_metric();
  EXPECT_EQ(metrics.refusal("ce", "supcon"), "") << "an AUPR: not computed again";
}

TEST(Compare, DatabasesRowByRow) {
  const Database before = two_losses();
  Database after;
  for (const std::int64_t seed : {0, 1, 2}) {
    after.add("ce", "knn", seed, 0.2);
    after.add("supcon", "knn", seed, 2.0);
  }
  const auto scores = [&](int side, const ResultSubject& subject) {
    return (side == 0 ? before : after).scores_of(subject);
  };
  const Comparison found = compare_databases(before.frame(), after.frame(), {.resamples = 60}, scores);
  ASSERT_EQ(found.pairs.size(), 2u);
  EXPECT_TRUE(found.regression()) << "knn on ce";
  EXPECT_EQ(found.left_out, (std::vector<std::string>{"B has no ce/net msp on tiny"}));
  EXPECT_EQ(number(found.pairs[1], "far", "mean", "auroc").difference.estimate, 0);
}

TEST(Compare, TheFormsSayTheSame) {
  const Comparison found = two_losses().compare("ce", "supcon");
  const std::string text = comparison_text(found);
  EXPECT_NE(text.find("B is better"), std::string::npos);
  EXPECT_NE(text.find("3 are too few for a test"), std::string::npos);
  const auto document = nlohmann::json::parse(comparison_json(found));
  EXPECT_EQ(document.at("regression"), false);
  const auto& first = document.at("pairs").at(0).at("numbers").at(0);
  EXPECT_EQ(first.at("metric"), "auroc");
  EXPECT_EQ(first.at("difference").get<double>(), found.pairs[0].numbers[0].difference.estimate);
}

}  // namespace
}  // namespace nearfar
