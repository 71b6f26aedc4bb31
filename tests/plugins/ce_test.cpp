#include "common.h"

#include <cmath>

namespace nearfar::testing {
namespace {

TEST(CrossEntropy, IsTheMeanOfMinusLogProbability) {
  // -log(1/4) and -log(3/4)
  const LossInput input{matrix({0, std::log(3.0F), 0, std::log(3.0F)}, 2), labels({0, 1})};
  EXPECT_NEAR(loss("ce").forward(input).item<double>(), (std::log(4.0) + std::log(4.0 / 3)) / 2, 1e-6);
}

TEST(CrossEntropy, TakesSoftTargets) {
  // A quarter of -log(1/4) and three quarters of -log(3/4), in both rows.
  LossInput input{matrix({0, std::log(3.0F), 0, std::log(3.0F)}, 2), labels({0, 0})};
  input.soft_targets = matrix({0.25F, 0.75F, 0.25F, 0.75F}, 2);
  EXPECT_NEAR(loss("ce").forward(input).item<double>(), std::log(4.0) / 4 + 3 * std::log(4.0 / 3) / 4, 1e-6);
  EXPECT_TRUE(loss("ce").traits().takes_soft_targets);
}

TEST(CrossEntropy, WantsALinearHeadAndOneView) {
  EXPECT_EQ(loss("ce").traits().views, 1);
  EXPECT_EQ(loss("ce").traits().head, HeadKind::linear);
}

}  // namespace
}  // namespace nearfar::testing
