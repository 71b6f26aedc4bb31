#include "metrics/ratio.h"

#include <nearfar/error.h>

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>
#include <vector>

namespace nearfar {
namespace {

TEST(Ratio, MedianIsTheMiddleOrHalfwayBetweenTheMiddleTwo) {
  EXPECT_EQ(median(std::vector{3.0, 1.0, 2.0}), 2);
  EXPECT_EQ(median(std::vector{4.0, 1.0, 2.0, 10.0}), 3);
  EXPECT_THROW(median(std::vector<double>{}), Error);
}

TEST(PairedRatio, SixPairsReachFromTheLeastToTheMost) {
  // Ratios 1, 2, 3, 4, 5, 6. P(0 heads of 6) = 1/64 = 0.0156 <= 0.025, P(at most 1) = 7/64: the interval is [1, 6] and
  // covers 1 - 2/64.
  const Ratio ratio = paired_ratio(std::vector{6.0, 4.0, 2.0, 10.0, 12.0, 8.0}, std::vector(6, 2.0));
  EXPECT_DOUBLE_EQ(ratio.estimate, 3.5);
  EXPECT_DOUBLE_EQ(ratio.low, 1);
  EXPECT_DOUBLE_EQ(ratio.high, 6);
  EXPECT_DOUBLE_EQ(ratio.coverage, 1 - 2.0 / 64);
}

TEST(PairedRatio, NinePairsLeaveTheOutermostOut) {
  // P(at most 1 of 9) = 10/512 = 0.0195 <= 0.025, P(at most 2) = 46/512: between the second and the eighth.
  const Ratio ratio = paired_ratio(std::vector{1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 900.0}, std::vector(9, 1.0));
  EXPECT_DOUBLE_EQ(ratio.low, 2);
  EXPECT_DOUBLE_EQ(ratio.high, 8);
  EXPECT_DOUBLE_EQ(ratio.coverage, 1 - 20.0 / 512);
}

TEST(PairedRatio, APairIsDividedBeforeAnythingIsCompared) {
  // Both sides slow down tenfold on the way: the ratio stays 2.
  const Ratio ratio = paired_ratio(std::vector{2.0, 4.0, 20.0}, std::vector{1.0, 2.0, 10.0});
  EXPECT_DOUBLE_EQ(ratio.low, 2);
  EXPECT_DOUBLE_EQ(ratio.high, 2);
  EXPECT_DOUBLE_EQ(ratio.coverage, 0.75);  // three pairs say no more: 1 - 2/8
}

TEST(PairedRatio, RefusesWhatIsNoTime) {
  EXPECT_THROW(paired_ratio({}, {}), Error);
  EXPECT_THROW(paired_ratio(std::vector{1.0, 2.0}, std::vector{1.0}), Error);
  EXPECT_THROW(paired_ratio(std::vector{0.0}, std::vector{1.0}), Error);
  EXPECT_THROW(paired_ratio(std::vector{1.0}, std::vector{std::numeric_limits<double>::quiet_NaN()}), Error);
}

TEST(UnpairedRatio, ThreeAgainstThreeCoverNineTenths) {
  // U = 0 and U = 9 have one of C(6,3) = 20 orders each: all quotients, 1 - 2/20.
  const Ratio ratio = unpaired_ratio(std::vector{2.0, 4.0, 8.0}, std::vector(3, 1.0));
  EXPECT_DOUBLE_EQ(ratio.estimate, 4);
  EXPECT_DOUBLE_EQ(ratio.low, 2);
  EXPECT_DOUBLE_EQ(ratio.high, 8);
  EXPECT_DOUBLE_EQ(ratio.coverage, 0.9);
}

TEST(UnpairedRatio, CutsWhereTheTableOfMannAndWhitneyDoes) {
  // n = m = 7, two-sided 5 %: the critical value is 8, so the 9th smallest and the 9th largest of the 49 quotients.
  // They are i / 1 with i = 1..7, each seven times: the 9th is 2, the 41st 6.
  const Ratio ratio = unpaired_ratio(std::vector{1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0}, std::vector(7, 1.0));
  EXPECT_DOUBLE_EQ(ratio.low, 2);
  EXPECT_DOUBLE_EQ(ratio.high, 6);
  EXPECT_GT(ratio.coverage, 0.95);
  EXPECT_LT(ratio.coverage, 0.97);
}

TEST(UnpairedRatio, CoversTheTruthAsOftenAsItSays) {
  // 400 draws of 9 against 9, the truth is 1.5: an interval of 95 % misses 20 of them, more than 40 once in 10^5.
  std::mt19937_64 random(7);
  std::lognormal_distribution<double> noise(0, 0.2);
  int missed = 0;
  for (int trial = 0; trial < 400; ++trial) {
    std::vector<double> a, b;
    for (int i = 0; i < 9; ++i) {
      a.push_back(1.5 * noise(random));
      b.push_back(noise(random));
    }
    const Ratio ratio = unpaired_ratio(a, b);
    missed += ratio.low > 1.5 || ratio.high < 1.5 ? 1 : 0;
  }
  EXPECT_GT(missed, 3);
  EXPECT_LT(missed, 40);
}

TEST(UnpairedRatio, ManyValuesAgreeWithFewer) {
  // Above 40 the normal distribution takes over: the interval of 41 lies close to that of 40.
  std::mt19937_64 random(3);
  std::lognormal_distribution<double> noise(0, 0.1);
  std::vector<double> a, b;
  for (int i = 0; i < 41; ++i) a.push_back(noise(random)), b.push_back(noise(random));
  const Ratio many = unpaired_ratio(a, b);
  a.pop_back(), b.pop_back();
  const Ratio few = unpaired_ratio(a, b);
  EXPECT_NEAR(many.low, few.low, 0.01);
  EXPECT_NEAR(many.high, few.high, 0.01);
}

}  // namespace
}  // namespace nearfar
