#include "metrics/selective.h"

#include "metrics/ranking.h"
#include "support/golden.h"

#include <nearfar/error.h>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <cmath>
#include <fstream>
#include <random>

namespace nearfar {
namespace {

using nlohmann::json;
using Scores = std::vector<double>;
using Marks = std::vector<std::uint8_t>;

TEST(SelectiveRisk, ByHand) {
  // Kept in the order right, wrong, right, wrong: e(k) = 0, 1, 1, 2.
  // AURC: (0 + 1/2 + 1/3 + 2/4) / 4. AUGRC by trapezoids: (0 + 1/2 + 1 + 3/2) / 4 / 4.
  const SelectiveRisk risk = selective_risk(Scores{0.3, 0.1, 0.4, 0.2}, Marks{1, 1, 0, 0});
  EXPECT_DOUBLE_EQ(risk.aurc, (1.0 / 2 + 1.0 / 3 + 2.0 / 4) / 4);
  EXPECT_DOUBLE_EQ(risk.augrc, 3.0 / 16);
  EXPECT_EQ(risk.images, 4u);
  EXPECT_EQ(risk.failures, 2u);
}

TEST(SelectiveRisk, OodImagesAreFailures) {
  const SelectiveRisk both = selective_risk(Scores{1, 3}, Marks{1, 1}, Scores{2});
  const SelectiveRisk same = selective_risk(Scores{1, 3, 2}, Marks{1, 1, 0});
  EXPECT_EQ(both.aurc, same.aurc);
  EXPECT_EQ(both.augrc, same.augrc);
  EXPECT_DOUBLE_EQ(both.aurc, (0 + 1.0 / 2 + 1.0 / 3) / 3);
}

TEST(SelectiveRisk, ATieIsTheMeanOverItsOrders) {
  // One right, one wrong, the same score: right first 0, 1/2; wrong first 1, 1/2.
  const SelectiveRisk tie = selective_risk(Scores{7, 7}, Marks{1, 0});
  EXPECT_DOUBLE_EQ(tie.aurc, ((0 + 0.5) / 2 + (1 + 0.5) / 2) / 2);
  EXPECT_DOUBLE_EQ(tie.augrc, 0.25) << "no information: half the share of failures";
  const SelectiveRisk other = selective_risk(Scores{7, 7}, Marks{0, 1});
  EXPECT_EQ(tie.aurc, other.aurc);
  EXPECT_EQ(tie.augrc, other.augrc);
}

TEST(SelectiveRisk, ScoresThatKnowFailuresAreAsGoodAsCanBe) {
  const Scores scores{1, 2, 3, 4, 5};
  const SelectiveRisk best = selective_risk(scores, Marks{1, 1, 1, 0, 0});
  const SelectiveRisk worst = selective_risk(scores, Marks{0, 0, 1, 1, 1});
  EXPECT_LT(best.aurc, worst.aurc);
  EXPECT_DOUBLE_EQ(best.augrc, 0.4 * 0.4 / 2);
  EXPECT_DOUBLE_EQ(worst.augrc, 0.4 * 0.6 + 0.4 * 0.4 / 2);
  EXPECT_EQ(selective_risk(scores, Marks{1, 1, 1, 1, 1}).aurc, 0);
  EXPECT_DOUBLE_EQ(selective_risk(scores, Marks{0, 0, 0, 0, 0}).aurc, 1);
}

TEST(SelectiveRisk, AugrcIsWhatItsAuthorsSayOfAurocAndAccuracy) {
  std::mt19937_64 random(3);
  for (int trial = 0; trial < 20; ++trial) {
    Scores scores, right, wrong;
    Marks correct;
    for (int i = 0; i < 200; ++i) {
      correct.push_back(random() % 4 == 0 ? 0 : 1);
      scores.push_back(static_cast<double>(random() % 40) - 5.0 * correct.back());  // with ties
      (correct.back() == 1 ? right : wrong).push_back(scores.back());
    }
    const double accuracy = static_cast<double>(right.size()) / 200, failing = 1 - accuracy;
    EXPECT_NEAR(selective_risk(scores, correct).augrc,
                failing * accuracy * (1 - auroc(right, wrong)) + failing * failing / 2, 1e-12);
  }
}

TEST(SelectiveRisk, IsThatOfTheDefinition) {
  const json all = json::parse(std::ifstream(testing::source_dir() / "tests/golden/statistics.json"));
  ASSERT_FALSE(all.at("selective").empty());
  for (const json& one : all.at("selective")) {
    const SelectiveRisk risk = selective_risk(one.at("scores").get<Scores>(), one.at("correct").get<Marks>());
    EXPECT_NEAR(risk.aurc, one.at("aurc").get<double>(), 1e-12);
    EXPECT_NEAR(risk.augrc, one.at("augrc").get<double>(), 1e-12);
  }
}

TEST(SelectiveRisk, WhatDoesNotFitIsRefused) {
  EXPECT_THROW(selective_risk({}, {}), Error);
  EXPECT_THROW(selective_risk(Scores{1, 2}, Marks{1}), Error);
  EXPECT_THROW(selective_risk(Scores{1, std::nan("")}, Marks{1, 0}), Error);
  EXPECT_THROW(selective_risk(Scores{1, 2}, Marks{1, 2}), Error);
  EXPECT_THROW(selective_risk(Scores{1}, Marks{1}, Scores{INFINITY}), Error);
}

}  // namespace
}  // namespace nearfar
