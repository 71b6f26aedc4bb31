// A graph's rules, and a whole training step in one.
#include "fake_device/fake_device.h"
#include "fake_device/message_of.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/_fused_sgd.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/batch_norm.h>
#include <ATen/ops/conv2d.h>
#include <ATen/ops/cross_entropy_loss.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/full.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/rand.h>
#include <ATen/ops/randint.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>
#include <c10/core/Event.h>
#include <c10/core/GradMode.h>
#include <c10/core/impl/VirtualGuardImpl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <utility>
#include <vector>

namespace nearfar::fake {
namespace {

using testing::HasSubstr;

at::Tensor pinned(const at::Tensor& tensor) {
  return at::empty_like(tensor, tensor.options().pinned_memory(true)).copy_(tensor);
}
void synchronize() { c10::impl::VirtualGuardImpl(kType).synchronizeDevice(0); }

TEST(FakeGraph, CapturesWithoutRunning) {
  const at::Tensor counter = at::zeros({2}, device());
  at::Tensor made;
  const auto graph = make_graph();
  graph->begin();
  counter.add_(1);
  made = counter.mul(10);
  graph->end();
  EXPECT_EQ(counter.sum().item<float>(), 0);
  EXPECT_TRUE(made.isnan().all().item<bool>());  // not before the first replay
  graph->replay();
  graph->replay();
  EXPECT_EQ(counter.sum().item<float>(), 4);
  EXPECT_EQ(made.sum().item<float>(), 40);
}

TEST(FakeGraph, ReplaysOnTheSameAddresses) {
  at::Tensor in = at::ones({2}, device());
  const auto graph = make_graph();
  graph->begin();
  const at::Tensor out = in.add(1);
  graph->end();
  in = at::full({2}, 5, device());  // another tensor: the graph does not know it
  graph->replay();
  EXPECT_EQ(out.sum().item<float>(), 4);
}

TEST(FakeGraph, KeepsNumbersAsTheyWere) {
  const at::Tensor factor = at::full({}, 2.0);  // of the CPU
  const at::Tensor in = at::ones({2}, device());
  const auto graph = make_graph();
  graph->begin();
  const at::Tensor out = in.mul(factor);
  graph->end();
  factor.fill_(7);
  graph->replay();
  EXPECT_EQ(out.sum().item<float>(), 4);
}

TEST(FakeGraph, CopiesFromAndToPinnedMemoryWithEveryReplay) {
  const at::Tensor source = pinned(at::ones({2})), target = pinned(at::zeros({2}));
  const at::Tensor there = at::zeros({2}, device());
  const auto graph = make_graph();
  graph->begin();
  there.copy_(source, /*non_blocking=*/true);
  target.copy_(there.add(1), /*non_blocking=*/true);
  graph->end();
  EXPECT_TRUE(at::equal(target, at::zeros({2})));
  for (const float value : {3.F, 4.F}) {
    source.fill_(value);
    graph->replay();
    EXPECT_TRUE(target.isnan().all().item<bool>());
    synchronize();
    EXPECT_TRUE(at::equal(target, at::full({2}, value + 1)));
  }
}

TEST(FakeGraph, RefusesToWaitAndIsSpoiltByIt) {
  const at::Tensor there = at::ones({2}, device());
  const at::Tensor here = at::ones({2});
  c10::Event event(kType);
  event.record(c10::impl::VirtualGuardImpl(kType).getStream(device()));
  const auto trouble = [&](const auto& body) {
    const auto graph = make_graph();
    graph->begin();
    const std::string message = message_of(body);
    EXPECT_THAT(message_of([&] { graph->end(); }), HasSubstr("failed before its end"));
    EXPECT_THAT(message_of([&] { graph->replay(); }), HasSubstr("has not been captured"));
    return message;
  };
  const auto wait = HasSubstr("while a graph is captured");
  EXPECT_THAT(trouble([&] { there.sum().item<float>(); }), wait);
  EXPECT_THAT(trouble([&] { there.nonzero(); }), wait);
  EXPECT_THAT(trouble([&] { there.cpu(); }), wait);
  EXPECT_THAT(trouble([&] { there.copy_(here, /*non_blocking=*/true); }), wait);  // is not pinned
  EXPECT_THAT(trouble([&] { event.synchronize(); }), wait);
  EXPECT_THAT(trouble([&] { event.query(); }), wait);
  EXPECT_THAT(trouble([&] { synchronize(); }), wait);
}

TEST(FakeGraph, KnowsItsOrderOfCalls) {
  const auto graph = make_graph(), other = make_graph();
  EXPECT_THAT(message_of([&] { graph->replay(); }), HasSubstr("has not been captured"));
  EXPECT_THAT(message_of([&] { graph->end(); }), HasSubstr("is not being captured"));
  graph->begin();
  EXPECT_THAT(message_of([&] { other->begin(); }), HasSubstr("captured already"));
  graph->end();
  other->begin();
  EXPECT_THAT(message_of([&] { graph->replay(); }), HasSubstr("while one is captured"));
}  // other is destroyed during its capture, which ends

TEST(FakeGraph, LeavesUploadsBeforeItAlone) {
  const at::Tensor source = pinned(at::ones({2}));
  const at::Tensor there = source.to(device(), at::kFloat, /*non_blocking=*/true);
  const auto graph = make_graph();
  graph->begin();
  there.add(1);
  graph->end();
  EXPECT_EQ(there.sum().item<float>(), 2);
}

TEST(FakeGraph, TakesNoRandomNumbersForItsCapture) {
  at::manual_seed(5);
  const at::Tensor wanted = at::rand({3});
  at::manual_seed(5);
  const at::Tensor there = at::zeros({3}, device());
  const auto graph = make_graph();
  graph->begin();
  there.uniform_();
  graph->end();
  graph->replay();
  EXPECT_TRUE(at::equal(there.cpu(), wanted));
}

/// A convolution, batch normalisation and a linear layer; parameters are made on the CPU from one seed.
struct Net {
  at::Tensor kernel, gamma, beta, weight, bias, mean, variance;
  std::vector<at::Tensor> momentum;

  explicit Net(at::Device where) {
    const at::Generator chance = at::make_generator<at::CPUGeneratorImpl>(7);
    const auto leaf = [&](const at::Tensor& tensor) { return tensor.to(where).set_requires_grad(true); };
    kernel = leaf(at::randn({8, 3, 3, 3}, chance).mul(0.1).contiguous(at::MemoryFormat::ChannelsLast));
    gamma = leaf(at::ones({8})), beta = leaf(at::zeros({8}));
    weight = leaf(at::randn({10, 8}, chance).mul(0.1)), bias = leaf(at::zeros({10}));
    mean = at::zeros({8}).to(where), variance = at::ones({8}).to(where);
    for (at::Tensor one : parameters()) {
      momentum.push_back(at::zeros_like(one).detach());
      one.mutable_grad() = at::zeros_like(one).detach();  // before a capture: the graph writes to this memory
    }
  }

  std::vector<at::Tensor> parameters() const { return {kernel, gamma, beta, weight, bias}; }

  at::Tensor step(const at::Tensor& images, const at::Tensor& labels, const at::Tensor& rate) {
    for (at::Tensor one : parameters()) one.mutable_grad().zero_();
    at::Tensor x = at::conv2d(images.contiguous(at::MemoryFormat::ChannelsLast), kernel, {}, {1, 1}, {1, 1});
    x = at::batch_norm(x, gamma, beta, mean, variance, true, 0.1, 1e-5, true).relu_();
    const at::Tensor loss = at::cross_entropy_loss(at::linear(x.mean({2, 3}), weight, bias), labels);
    loss.backward();
    const c10::AutoGradMode none(false);
    std::vector<at::Tensor> gradients;
    for (const at::Tensor& one : parameters()) gradients.push_back(one.grad());
    at::_fused_sgd_(parameters(), gradients, momentum, 5e-4, 0.9, rate, 0.0, true, false, false, {}, {});
    return loss.detach();
  }
};

TEST(FakeGraph, OfATrainingStepEqualsTheCpu) {
  Net host(at::kCPU), net(device());
  const at::Tensor images = at::zeros({4, 3, 6, 6}, device());
  const at::Tensor labels = at::zeros({4}, at::TensorOptions(at::kLong).device(device()));
  const at::Tensor rate = at::full({}, 0.1F, at::TensorOptions(at::kFloat).device(device()));
  const auto graph = make_graph();
  graph->begin();
  const at::Tensor loss = net.step(images, labels, rate);
  graph->end();
  const at::Generator chance = at::make_generator<at::CPUGeneratorImpl>(9);
  for (int i = 0; i < 3; ++i) {
    const at::Tensor x = at::randn({4, 3, 6, 6}, chance), y = at::randint(10, {4}, chance, at::kLong);
    const at::Tensor r = at::full({}, 0.1F / static_cast<float>(i + 1));
    images.copy_(x), labels.copy_(y), rate.copy_(r);
    {
      const ForbidSyncs none;
      graph->replay();
    }
    EXPECT_TRUE(at::equal(loss.cpu(), host.step(x, y, r))) << "step " << i;
    for (std::size_t k = 0; k < 5; ++k)
      EXPECT_TRUE(at::equal(net.parameters()[k].detach().cpu(), host.parameters()[k].detach())) << i << ", " << k;
  }
  EXPECT_TRUE(at::equal(net.mean.cpu(), host.mean));
}

}  // namespace
}  // namespace nearfar::fake
