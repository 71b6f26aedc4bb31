#include "common.h"

#include <cmath>

namespace nearfar::testing {
namespace {

TEST(SupCon, EqualsTheHandWorkedCase) {
  // Unit temperatures; z = e1, e1, e2 with labels 0, 0, 1. Anchors 0 and 1: s = 1 to the positive, 0 to the other:
  // log(e + 1) - 1. Anchor 2 has no positive: 0. Mean over the three anchors.
  LossHandle supcon = loss("supcon", {{"temperature", 1.0}, {"base_temperature", 1.0}});
  const LossInput input{matrix({1, 0, 1, 0, 0, 1}, 3), labels({0, 0, 1})};
  EXPECT_NEAR(supcon.forward(input).item<double>(), 2 * (std::log(std::exp(1.0) + 1) - 1) / 3, 1e-6);
}

TEST(SupCon, IsScaledByItsTemperatures) {
  const LossInput input{normalized(at::randn({8, 4})), labels({0, 1, 2, 3, 0, 1, 2, 3})};
  const double one = loss("supcon", {{"temperature", 0.2}, {"base_temperature", 0.2}}).forward(input).item<double>();
  const double twice = loss("supcon", {{"temperature", 0.2}, {"base_temperature", 0.1}}).forward(input).item<double>();
  EXPECT_NEAR(twice, 2 * one, 1e-5);
}

TEST(SupCon, IsNothingForASingleRow) {
  const at::Tensor single = at::randn({1, 4}).set_requires_grad(true);
  const at::Tensor none = loss("supcon").forward({single, labels({0})});
  none.backward();
  EXPECT_EQ(none.item<float>(), 0.0F);
  EXPECT_EQ(single.grad().abs().sum().item<float>(), 0.0F);
}

TEST(SupCon, WantsTwoViewsOfAUnitEmbedding) {
  const LossTraits traits = loss("supcon").traits();
  EXPECT_EQ(traits.views, 2);
  EXPECT_EQ(traits.head, HeadKind::embedding);
  EXPECT_TRUE(traits.normalized_embedding);
}

}  // namespace
}  // namespace nearfar::testing
