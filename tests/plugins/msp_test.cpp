#include <cmath>

#include "common.h"

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

TEST(Msp, ScoresRowsIndependently) {
  FeatureBatch batch;
  batch.logits = at::randn({11, 7}).mul(5);
  expect_rows_independent(postprocessor("msp"), batch, 1e-6);
}

}  // namespace
}  // namespace nearfar::testing
