#include "metrics/ranking.h"

#include "metrics/naive_metrics.h"

#include <gtest/gtest.h>

#include <vector>

namespace nearfar {
namespace {

using Floats = std::vector<float>;

TEST(Auroc, CountsTiesAsHalf) {
  // pairs (id, ood): (1,1) tie, (1,2) won, (1,1) tie, (1,2) won -> (0.5 + 1 + 0.5 + 1) / 4
  EXPECT_DOUBLE_EQ(auroc(Floats{1, 1}, Floats{1, 2}), 0.75);
}

TEST(OodMetrics, AreRightForThreeAgainstTwo) {
  // From the top: 5 ood, 4 id, 3 ood, 2 id, 1 id. Pairs won: 5 beats 3, 3 beats 2 -> 5/6.
  // Both OOD scores are caught at 3, when one of three ID scores is flagged -> 1/3.
  // OOD positive, (recall, precision): (0,1) (1/2,1) (1/2,1/2) (1,2/3) … -> 1/2*1 + 1/2*(1/2+2/3)/2 = 1/2 + 7/24
  // ID positive, from the bottom: (0,1) (1/3,1) (2/3,1) (2/3,2/3) (1,3/4) … -> 2/3*1 + 1/3*(2/3+3/4)/2 = 2/3 + 17/72
  const OodMetrics m = ood_metrics(Floats{1, 4, 2}, Floats{5, 3});
  EXPECT_EQ(m.n_id, 3u);
  EXPECT_EQ(m.n_ood, 2u);
  EXPECT_DOUBLE_EQ(m.auroc, 5.0 / 6);
  EXPECT_DOUBLE_EQ(m.fpr95, 1.0 / 3);
  EXPECT_DOUBLE_EQ(m.aupr_in, 2.0 / 3 + 17.0 / 72);
  EXPECT_DOUBLE_EQ(m.aupr_out, 1.0 / 2 + 7.0 / 24);
}

TEST(OodMetrics, AreRightWhenAllScoresAreEqual) {
  // One point. ID positive: (0,1) then (1, 20/50) -> (1 + 0.4) / 2; OOD positive: (1 + 0.6) / 2. Average precision
  // would say 0.4 and 0.6.
  const OodMetrics m = ood_metrics(Floats(20, 7.0f), Floats(30, 7.0f));
  EXPECT_EQ(m.auroc, 0.5);
  EXPECT_EQ(m.fpr95, 1.0);
  EXPECT_DOUBLE_EQ(m.aupr_in, 0.7);
  EXPECT_DOUBLE_EQ(m.aupr_out, 0.8);
}

TEST(OodMetrics, AreRightForOneScoreEach) {
  const OodMetrics right = ood_metrics(Floats{0}, Floats{1});
  EXPECT_EQ(right.auroc, 1.0);
  EXPECT_EQ(right.fpr95, 0.0);
  EXPECT_EQ(right.aupr_in, 1.0);
  EXPECT_EQ(right.aupr_out, 1.0);
  // Wrong way round: (0,1) (0,0) (1,1/2) -> 1/4.
  const OodMetrics wrong = ood_metrics(Floats{1}, Floats{0});
  EXPECT_EQ(wrong.auroc, 0.0);
  EXPECT_EQ(wrong.fpr95, 1.0);
  EXPECT_EQ(wrong.aupr_in, 0.25);
  EXPECT_EQ(wrong.aupr_out, 0.25);
}

// A run of equal diagonal steps, one ID and one OOD score each, crosses 95 %: 19 of 20 are caught at an ID share of
// 0.95, but roc_curve has dropped that point as collinear, and the next it kept is the last.
TEST(Fpr95, IsReadAfterCollinearPointsAreDropped) {
  std::vector<double> steps;
  for (int k = 0; k < 20; ++k) steps.push_back(k / 20.0);
  EXPECT_EQ(testing::naive_fpr95(steps, steps, false), 0.95);
  EXPECT_EQ(ood_metrics(steps, steps).fpr95, 1.0);
}

// The same run, but an ID score alone lies below it: the run's lower end bends, is kept, and is where the point moves
// to.
TEST(Fpr95, MovesToTheEndOfTheRunAndNoFurther) {
  std::vector<double> ood, id{-1.0};
  for (int k = 0; k < 40; ++k) ood.push_back(k);
  id.insert(id.end(), ood.begin(), ood.end());
  EXPECT_EQ(testing::naive_fpr95(id, ood, false), 38.0 / 41);
  EXPECT_EQ(ood_metrics(id, ood).fpr95, 40.0 / 41);
}

// From the top: a step of 19 OOD and 1 ID score, which is all of the OOD scores, then two equal steps of 1 ID score.
TEST(Fpr95, IsReadAtTheFirstPointWhereThatCatchesAll) {
  EXPECT_EQ(ood_metrics(Floats{5, 4, 3}, Floats(19, 5.0f)).fpr95, 1.0 / 3);
}

// 0.95 * 20 is 19 exactly enough; for 19 scores it is 18.05, so all must be caught.
TEST(Fpr95, NeedsNineteenOfTwentyAndAllOfNineteen) {
  Floats ood{0};
  for (int k = 1; k < 20; ++k) ood.push_back(10.0f + static_cast<float>(k));
  EXPECT_EQ(ood_metrics(Floats{5, -5}, ood).fpr95, 0.0);
  ood.pop_back();
  EXPECT_EQ(ood_metrics(Floats{5, -5}, ood).fpr95, 0.5);
}

// Worked examples given as OpenOOD's conf, where higher is ID.
TEST(OodMetrics, EqualTheReferenceVectorA) {
  const OodMetrics m = ood_metrics(testing::negated<float>({.9f, .8f, .7f, .6f, .55f, .3f}),
                                   testing::negated<float>({.65f, .5f, .4f, .35f, .2f}));
  EXPECT_EQ(m.fpr95, 0.5);
  EXPECT_NEAR(m.auroc, .8, 1e-12);
  EXPECT_NEAR(m.aupr_in, .8615740741, 1e-10);
  EXPECT_NEAR(m.aupr_out, .7329761905, 1e-10);
}

TEST(OodMetrics, EqualTheReferenceVectorBWithTies) {
  const OodMetrics m = ood_metrics(testing::negated<float>({.9f, .9f, .8f, .8f, .5f, .5f, .5f}),
                                   testing::negated<float>({.9f, .8f, .5f, .5f, .1f}));
  EXPECT_EQ(m.fpr95, 1.0);
  EXPECT_NEAR(m.auroc, .6285714286, 1e-10);
  EXPECT_NEAR(m.aupr_in, .7077922078, 1e-10);
  EXPECT_NEAR(m.aupr_out, .6805555556, 1e-10);
}

TEST(OodMetrics, EqualTheReferenceVectorCOfAThousandScores) {
  Floats id, ood;
  for (int k = 0; k < 1000; ++k) id.push_back(-static_cast<float>((7919 * k) % 1009 / 1009.0 + .3));
  for (int k = 0; k < 400; ++k) ood.push_back(-static_cast<float>((104729 * k) % 997 / 997.0));
  const OodMetrics m = ood_metrics(id, ood);
  EXPECT_EQ(m.fpr95, .643);
  EXPECT_NEAR(m.auroc, .763495, 1e-12);
  EXPECT_NEAR(m.aupr_in, .8927054267, 1e-10);
  EXPECT_NEAR(m.aupr_out, .6465127553, 1e-10);
}

TEST(OodMetrics, TellApartWhatOnlyDoubleTellsApart) {
  const std::vector<double> id{1.0}, ood{1.0 + 1e-12};
  EXPECT_EQ(auroc(id, ood), 1.0);
  EXPECT_EQ(auroc(Floats(id.begin(), id.end()), Floats(ood.begin(), ood.end())), 0.5);
}

}  // namespace
}  // namespace nearfar
