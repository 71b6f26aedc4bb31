#include "features/set_pass.h"

#include <ATen/core/Tensor.h>
#include <gtest/gtest.h>

namespace nearfar {
namespace {

TEST(RunNetwork, GivesEveryImageInOrderWhateverTheBatchSize) {
  std::vector<std::uint8_t> pixels;
  for (int i = 0; i < 7 * 64; ++i) pixels.push_back(static_cast<std::uint8_t>(i * 37 % 251));
  const std::vector<std::int64_t> labels{0, 1, 2, 0, 1, 2, 0};
  const ImageView images{pixels, labels, 7, 1, 8, 8, {0.5}, {0.5}};
  const std::unique_ptr<Network> network = make_network({"resnet8", 1, 8, 8, 3, HeadKind::linear, "mlp", 4}, 1);
  const FeatureBatch whole = run_network(*network, images, 7), parts = run_network(*network, images, 3);
  EXPECT_EQ(whole.features.sizes(), (std::vector<std::int64_t>{7, 64}));
  EXPECT_EQ(whole.logits.sizes(), (std::vector<std::int64_t>{7, 3}));
  EXPECT_TRUE(whole.features.allclose(parts.features, 1e-5, 1e-6));
  EXPECT_FALSE(whole.features.requires_grad());
  EXPECT_TRUE(network->is_training());  // restored
  const HeadWeights head = network->head();
  EXPECT_TRUE(whole.features.matmul(head.weight.t()).add(head.bias).allclose(whole.logits, 1e-5, 1e-6));
}

}  // namespace
}  // namespace nearfar
