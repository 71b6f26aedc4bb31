#include "train/averages.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/tensor.h>
#include <gtest/gtest.h>

namespace nearfar {
namespace {

TEST(WeightAverage, StartsAtTheWeightsAndFollowsThem) {
  const at::Tensor weight = at::tensor({1.0, 2.0}, at::kDouble).set_requires_grad(true);
  WeightAverage average({{"w", weight, true}}, 0.75);
  weight.detach().copy_(at::tensor({5.0, 2.0}, at::kDouble));
  average.update();
  weight.detach().copy_(at::tensor({6.0, -2.0}, at::kDouble));
  average.update();
  ASSERT_EQ(average.tensors().size(), 1u);
  EXPECT_EQ(average.tensors()[0].name, "w");
  // 0.75 * 1 + 0.25 * 5 = 2; 0.75 * 2 + 0.25 * 6 = 3; and 2, then 1.5 - 0.5 = 1
  EXPECT_TRUE(average.tensors()[0].tensor.equal(at::tensor({3.0, 1.0}, at::kDouble)));
  EXPECT_FALSE(average.tensors()[0].tensor.requires_grad());
}

}  // namespace
}  // namespace nearfar
