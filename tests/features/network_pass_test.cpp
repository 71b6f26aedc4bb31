#include "features/network_pass.h"

#include "base/error.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>
#include <gtest/gtest.h>

namespace nearfar {
namespace {

/// Passes everything on to a real network and counts what goes in.
class Counting final : public Network {
 public:
  explicit Counting(std::unique_ptr<Network> network) : network_(std::move(network)) {}
  at::Tensor features(const at::Tensor& images) override { return whole += images.size(0), network_->features(images); }
  at::Tensor output(const at::Tensor& features) override { return network_->output(features); }
  std::int64_t stages() const override { return network_->stages(); }
  at::Tensor features_seen(const at::Tensor& images, Activations& seen) override {
    return whole += images.size(0), network_->features_seen(images, seen);
  }
  at::Tensor map(const at::Tensor& images, std::int64_t stage) override {
    return part += images.size(0), network_->map(images, stage);
  }
  at::Tensor features_from(const at::Tensor& map, std::int64_t stage) override {
    return part += map.size(0), network_->features_from(map, stage);
  }
  std::vector<NamedTensor> named_tensors() override { return network_->named_tensors(); }
  void train(bool on) override { network_->train(on); }
  bool is_training() const override { return network_->is_training(); }
  const NetworkSpec& spec() const override { return network_->spec(); }
  at::Device device() const override { return network_->device(); }
  std::int64_t feature_dim() const override { return network_->feature_dim(); }

  std::int64_t whole = 0, part = 0;

 private:
  std::unique_ptr<Network> network_;
};

constexpr Needs kAll = kMapStatistics | kInputGradients;

std::unique_ptr<Network> small(HeadKind head = HeadKind::linear) {
  return make_network({"resnet8", 1, 12, 12, 3, head, "mlp", 4}, 1);
}
at::Tensor images() { return at::randn({5, 1, 12, 12}); }

TEST(NetworkPass, GivesWhatTheNetworkGives) {
  const auto network = small();
  const at::Tensor in = images();
  NetworkPass pass(*network, kAll, {0.5});
  const auto batch = pass.run(in);
  EXPECT_TRUE(at::equal(batch->features(), network->features(in)));
  EXPECT_TRUE(at::equal(batch->logits(), network->output(network->features(in))));
  EXPECT_FALSE(batch->features().requires_grad());
  EXPECT_EQ(batch->stages(), 4);
  EXPECT_EQ(batch->map(0).sizes(), (std::vector<std::int64_t>{5, 16, 6, 6}));
  EXPECT_TRUE(batch->map(3).mean({2, 3}).allclose(batch->features()));
  EXPECT_EQ(batch->layers().size(),
            1 + 2 + 3 + 3U);  // the stem, and two convolutions a block, three where the shape changes
  EXPECT_TRUE(batch->forward_from(1, batch->map(1)).logits.allclose(batch->logits(), 1e-5, 1e-6));
  EXPECT_TRUE(batch->forward_to(2, in).allclose(batch->map(2), 1e-5, 1e-6));
}

TEST(NetworkPass, ShowsTheActivationsThatAreLayersInTorchvision) {
  const auto network = make_network({"resnet18_224x224", 3, 32, 32, 3, HeadKind::linear, "mlp", 4}, 1);
  NetworkPass pass(*network, kMapStatistics, {1, 1, 1});
  const auto batch = pass.run(at::randn({1, 3, 32, 32}));
  EXPECT_EQ(batch->layers().size(), 20 + 17U);
  EXPECT_EQ(batch->map(0).size(2), 8);  // after the max-pool
}

TEST(NetworkPass, GradientsAreFiniteDifferences) {
  const auto network = small();
  const at::Tensor in = images();
  NetworkPass pass(*network, kAll, {0.5});
  const auto batch = pass.run(in);
  at::Tensor direction = at::zeros_like(batch->logits());
  direction.select(1, 0).fill_(1);
  direction.select(1, 2).fill_(-0.5);
  const at::Tensor gradient = batch->logit_gradient(direction);
  const at::Tensor step = at::randn(in.sizes()).mul(1e-3);
  const at::Tensor up = batch->forward(in.add(step)).logits, down = batch->forward(in.sub(step)).logits;
  const at::Tensor wanted = up.sub(down).mul(direction).sum(1).div(2), found = gradient.mul(step).sum({1, 2, 3});
  EXPECT_TRUE(found.allclose(wanted, 0.1, 5e-4)) << found << wanted;
  const at::Tensor map_direction = at::randn(batch->map(0).sizes());
  const at::Tensor by_map = batch->map_gradient(0, map_direction).mul(step).sum({1, 2, 3});
  const at::Tensor by_steps = batch->forward_to(0, in.add(step))
                                  .sub(batch->forward_to(0, in.sub(step)))
                                  .mul(map_direction)
                                  .sum({1, 2, 3})
                                  .div(2);
  EXPECT_TRUE(by_map.allclose(by_steps, 0.1, 2e-3)) << by_map << by_steps;
}

TEST(NetworkPass, RunsOncePerQuestion) {
  Counting network(small());
  const at::Tensor in = images();
  NetworkPass pass(network, kAll, {0.5});
  const auto batch = pass.run(in);
  const at::Tensor direction = at::randn(batch->logits().sizes());
  for (int again = 0; again < 2; ++again) {
    batch->logit_gradient(direction.clone());
    batch->forward(in.add(1));
  }
  batch->logit_gradient(direction.neg());
  batch->forward_from(2, batch->map(2));
  EXPECT_EQ(pass.counts().forward, 5);
  EXPECT_EQ(pass.counts().gradients, 10);
  EXPECT_EQ(pass.counts().changed, 10);
  EXPECT_EQ(network.whole, 5 + 5);  // the clean images and the changed ones
  EXPECT_EQ(network.part, 5);
}

TEST(NetworkPass, LooksAgainInFloat64) {
  Counting network(small());
  const at::Tensor in = images();
  NetworkPass pass(network, kAll, {0.5});
  const auto batch = pass.run(in);
  EXPECT_EQ(pass.counts().float64, 0);
  NetworkBatch& exact = batch->in_float64();
  EXPECT_EQ(&exact, &batch->in_float64());
  EXPECT_EQ(&exact, &exact.in_float64());
  EXPECT_EQ(exact.logits().scalar_type(), at::kDouble);
  EXPECT_TRUE(at::equal(exact.images(), in.to(at::kDouble)));
  EXPECT_TRUE(exact.logits().allclose(batch->logits().to(at::kDouble), 1e-4, 1e-5));
  EXPECT_EQ(exact.layers().size(), batch->layers().size());
  // Nothing but float64 inside: finite differences are as near as float64 allows, which float32 would miss by four
  // digits.
  const at::Tensor direction = at::randn(exact.logits().sizes(), at::kDouble),
                   step = at::randn(in.sizes(), at::kDouble).mul(1e-6);
  const at::Tensor found = exact.logit_gradient(direction).mul(step).sum({1, 2, 3});
  const at::Tensor up = exact.forward(exact.images().add(step)).logits,
                   down = exact.forward(exact.images().sub(step)).logits;
  EXPECT_TRUE(found.allclose(up.sub(down).mul(direction).sum(1).div(2), 1e-5, 1e-11));
  EXPECT_THROW(exact.forward(in), Error);
  EXPECT_THROW(batch->logit_gradient(direction), Error);
  EXPECT_EQ(pass.counts().float64, 5 + 5 + 10);  // clean, backward, two changed
  EXPECT_EQ(pass.counts().forward, 5);
  EXPECT_EQ(pass.counts().gradients + pass.counts().changed, 0);
  EXPECT_EQ(network.whole, 5);
  EXPECT_EQ(network.named_tensors().front().tensor.scalar_type(), at::kFloat);
}

TEST(NetworkPass, PutsTheNetworkBackAsItWas) {
  const auto network = small();
  {
    NetworkPass pass(*network, kAll, {0.5});
    EXPECT_FALSE(network->is_training());
    EXPECT_FALSE(network->named_tensors().front().tensor.requires_grad());
  }
  EXPECT_TRUE(network->is_training());
  EXPECT_TRUE(network->named_tensors().front().tensor.requires_grad());
}

TEST(NetworkPass, RefusesWhatTheNeedsDoNotName) {
  const auto network = small();
  NetworkPass pass(*network, kMapStatistics, {0.5});
  const auto batch = pass.run(images());
  EXPECT_THROW(batch->logit_gradient(at::zeros({5, 3})), Error);
  EXPECT_THROW(batch->map(4), Error);
  EXPECT_THROW(batch->forward(at::zeros({5, 1, 11, 12})), Error);
  NetworkPass plain(*network, kInputGradients, {0.5});
  EXPECT_THROW(plain.run(images())->map(0), Error);
}

TEST(NetworkPass, NeedsANetworkWithMapsForMaps) {
  EXPECT_EQ(architecture_stages("vit_b_16"), 0);
  EXPECT_EQ(architecture_stages("resnet50"), 5);
}

}  // namespace
}  // namespace nearfar
