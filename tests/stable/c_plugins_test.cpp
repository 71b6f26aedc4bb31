// Plugins without LibTorch: energy and cross-entropy in C against the exact ones and against LibTorch's autograd.
#include "host/stable_plugin.h"
#include "plugins/toy_problem.h"

#include <ATen/ops/cross_entropy_loss.h>
#include <ATen/ops/full.h>
#include <ATen/ops/randint.h>
#include <gtest/gtest.h>

#include <cstddef>

namespace nearfar::testing {
namespace {

LoadedPlugin c_plugin(const std::string& name) {
  return load_plugin(binary_dir() / "lib/nearfar/stable_plugins" / (name + ".so"));
}

TEST(CPlugin, EnergyIsThatOfEbo) {
  const LoadedPlugin energy = c_plugin("energy-c");
  EXPECT_EQ(describe(energy).tier, "c");
  at::manual_seed(3);
  FeatureBatch batch;
  batch.logits = at::randn({1000, 17}).mul(30);
  for (const double temperature : {1.0, 7.5}) {
    const ParamMap params{{"temperature", temperature}};
    const PostprocessorHandle found(energy, params, "test"), wanted = postprocessor("ebo", params);
    EXPECT_LE(relative_difference(found.score(batch), wanted.score(batch)), 1e-6);
  }
  FeatureBatch none;
  none.logits = batch.logits.narrow(0, 0, 0);
  EXPECT_EQ(PostprocessorHandle(energy, {}, "test").score(none).numel(), 0);
}

TEST(CPlugin, ALossIsPartOfTheGraph) {
  LossHandle loss(c_plugin("ce-c"), {}, "test");
  loss.prepare({.classes = 6, .output_width = 6, .feature_width = 3});
  at::manual_seed(4);
  at::Tensor hidden = at::randn({32, 6}).set_requires_grad(true);
  const at::Tensor labels = at::randint(0, 6, {32}, at::kLong);
  std::vector<LossTensor> state = loss.state();
  ASSERT_EQ(state.size(), 2U);
  EXPECT_TRUE(state[0].parameter);
  {
    const at::NoGradGuard off;
    state[0].tensor.fill_(1.5);  // as an optimiser writes it: into the plugin's memory
  }
  const at::Tensor found = loss.forward({.output = hidden.mul(2), .labels = labels}).mul(3);
  found.backward();

  const at::Tensor again = hidden.detach().clone().set_requires_grad(true),
                   scale = at::full({}, 1.5).set_requires_grad(true);
  const at::Tensor wanted = at::cross_entropy_loss(again.mul(2).mul(scale), labels).mul(3);
  wanted.backward();
  EXPECT_LE(relative_difference(found.detach(), wanted.detach()), 1e-6);
  EXPECT_LE(relative_difference(hidden.grad(), again.grad()), 1e-6);
  EXPECT_LE(relative_difference(state[0].tensor.grad(), scale.grad()), 1e-6);
  EXPECT_EQ(state[1].tensor.item<float>(), 1);  // steps
}

TEST(CPlugin, WhatItRefusesKeepsItsText) {
  LossHandle loss(c_plugin("ce-c"), {}, "test");
  try {
    loss.forward({.output = at::randn({2, 3}), .labels = labels({0, 3})});
    FAIL() << "label 3 of 3 classes was accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::data);
    EXPECT_NE(std::string(error.what()).find("label 3 of row 1; expected 0 to 2"), std::string::npos) << error.what();
  }
}

// Growth: what an older plugin lacks is zero, what a newer one has more is not looked at.
TEST(CDescriptor, IsReadAsFarAsItReaches) {
  nearfar_plugin old = *c_plugin("ce-c").c_plugin();
  old.struct_size = offsetof(nearfar_plugin, state);
  const nearfar_plugin whole = whole_descriptor(old);
  EXPECT_EQ(whole.loss, old.loss);
  EXPECT_NE(old.state, nullptr);
  EXPECT_EQ(whole.state, nullptr);

  struct {
    nearfar_plugin known;
    void* later[8];
  } newer{*c_plugin("ce-c").c_plugin(), {}};
  newer.known.struct_size = sizeof newer;
  EXPECT_EQ(whole_descriptor(newer.known).state, newer.known.state);
}

TEST(CDescriptor, SaysWhichFunctionIsMissing) {
  nearfar_plugin loss = *c_plugin("ce-c").c_plugin(), energy = *c_plugin("energy-c").c_plugin();
  EXPECT_EQ(descriptor_fault(loss), "");
  EXPECT_EQ(descriptor_fault(energy), "");
  loss.traits = nullptr;
  EXPECT_EQ(descriptor_fault(loss), "has no function 'traits'");
  energy.needs |= NEARFAR_NEEDS_INPUT_GRADIENTS;
  EXPECT_EQ(descriptor_fault(energy), "has no function 'observe', though it looks inside the network");
}

}  // namespace
}  // namespace nearfar::testing
