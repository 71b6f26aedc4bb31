#include "common.h"

#include <cmath>

namespace nearfar::testing {
namespace {

TEST(Msp, IsMinusTheLargestProbability) {
  // softmax(0, ln 3) = (1/4, 3/4); equal logits give 1/3 each
  FeatureBatch batch;
  batch.logits = matrix({0, std::log(3.0F), -1000, 5, 5, 5}, 2);
  expect_near(postprocessor("msp").score(batch), {-0.75, -1.0 / 3}, 1e-6);
}

TEST(Msp, SaturatesAtExactlyOne) {
  FeatureBatch batch;
  batch.logits = matrix({100, 0, 3e38F, -3e38F}, 2);
  const at::Tensor scores = postprocessor("msp").score(batch);
  EXPECT_EQ(scores[0].item<float>(), -1.0F);
  EXPECT_EQ(scores[1].item<float>(), -1.0F);
}

TEST(Msp, AddsInOneOrderOnEveryProcessor) {
  // exp(-17) = 4.1e-8 is less than half a unit of the last place of 1: added one after the other, seven of them leave 1
  // as it is; their sum alone, 2.9e-7, would not. From 16 classes on there are 16 lanes, of which the first takes the 1
  // and every 16th class after it.
  const auto one_and = [](std::int64_t others) {
    std::vector<float> logits(static_cast<std::size_t>(others + 1), -17);
    logits[0] = 0;
    FeatureBatch batch;
    batch.logits = matrix(logits, 1);
    return -postprocessor("msp").score(batch).item<float>();
  };
  EXPECT_EQ(one_and(7), 1.0F);
  EXPECT_EQ(one_and(14), 1.0F);
  EXPECT_NEAR(one_and(15), 1 - 15 * 4.14e-8, 1.2e-7);
  EXPECT_LT(one_and(15), 1.0F);
}

TEST(Msp, IsSoftmaxForAnyNumberOfClasses) {
  for (const std::int64_t classes : {1, 2, 15, 16, 17, 31, 32, 33, 100, 1000}) {
    FeatureBatch batch;
    batch.logits = at::randn({9, classes}).mul(4);
    const at::Tensor wanted = batch.logits.toType(at::kDouble).softmax(1).amax(1).neg();
    EXPECT_LE(relative_difference(postprocessor("msp").score(batch), wanted), 1e-6) << classes;
  }
}

TEST(Msp, ScoresRowsIndependently) {
  FeatureBatch batch;
  batch.logits = at::randn({11, 7}).mul(5);
  expect_rows_independent(postprocessor("msp"), batch, 1e-6);
}

}  // namespace
}  // namespace nearfar::testing
