#include "train/optimizer.h"

#include "base/error.h"
#include "base/files.h"
#include "support/golden.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/full.h>
#include <ATen/ops/tensor.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <cmath>

namespace nearfar {
namespace {

OptimizerOptions sgd_options(double momentum, double weight_decay, bool nesterov = true) {
  return {.weight_decay = weight_decay, .momentum = momentum, .nesterov = nesterov};
}

at::Tensor parameter(double value) { return at::full({1}, value, at::kDouble).set_requires_grad(true); }

TEST(Optimizer, StepsAsWorkedOutByHand) {
  // Gradient 1 (loss = w), w = 2, weight decay 0.5, momentum 0.5, Nesterov, rate 0.1.
  const at::Tensor w = parameter(2);
  Optimizer sgd({{"w", w, true}}, sgd_options(0.5, 0.5));
  sgd.zero_grad();
  w.sum().backward();
  sgd.set_rate(0.1);
  sgd.step();  // g = 1 + 0.5 * 2 = 2; buffer = 2; step = 2 + 0.5 * 2 = 3; w = 2 - 0.3
  EXPECT_NEAR(w.item<double>(), 1.7, 1e-12);
  sgd.zero_grad();
  w.sum().backward();
  sgd.set_rate(0.1);
  sgd.step();  // g = 1.85; buffer = 0.5 * 2 + 1.85 = 2.85; step = 1.85 + 1.425 = 3.275; w = 1.7 - 0.3275
  EXPECT_NEAR(w.item<double>(), 1.3725, 1e-12);
}

TEST(Optimizer, GoesOnExactlyFromRestoredMomentum) {
  const at::Tensor a = parameter(3), b = parameter(0);
  Optimizer first({{"w", a, true}}, sgd_options(0.9, 0.1));
  const auto one_step = [](Optimizer& sgd, const at::Tensor& w) {
    sgd.zero_grad();
    w.square().sum().backward();
    sgd.set_rate(0.05);
    sgd.step();
  };
  for (int i = 0; i < 3; ++i) one_step(first, a);
  b.detach().copy_(a.detach());
  Optimizer second({{"w", b, true}}, sgd_options(0.9, 0.1));
  second.restore(first.state());
  for (int i = 0; i < 3; ++i) {
    one_step(first, a);
    one_step(second, b);
  }
  EXPECT_TRUE(at::equal(a.detach(), b.detach()));
}

TEST(Optimizer, RefusesStateOfAnotherParameterOrSlotAndKeepsItsOwn) {
  const at::Tensor w = parameter(1);
  Optimizer sgd({{"w", w, true}}, {});
  EXPECT_THROW(sgd.restore({{"momentum", "w", w.detach()}, {"momentum", "v", w.detach()}}), Error);
  EXPECT_THROW(sgd.restore({{"momentum", "w", at::full({2}, 1.0)}}), Error);
  EXPECT_THROW(sgd.restore({{"exp_avg", "w", w.detach()}}), Error);
  EXPECT_TRUE(sgd.state().empty());
}

/// AdamW of one number by its definition (Loshchilov and Hutter 2019, algorithm 2), in double.
struct AdamWByHand {
  double value, first = 0, second = 0;
  int steps = 0;
  void step(double gradient, double rate, double decay) {
    ++steps;
    first = 0.9 * first + 0.1 * gradient;
    second = 0.99 * second + 0.01 * gradient * gradient;
    const double m = first / (1 - std::pow(0.9, steps)), v = second / (1 - std::pow(0.99, steps));
    value -= rate * (m / (std::sqrt(v) + 1e-6) + decay * value);
  }
};

TEST(Optimizer, IsAdamWByItsDefinition) {
  const at::Tensor w = parameter(2).reshape({1, 1}).detach().set_requires_grad(true), b = parameter(-3);
  Optimizer adamw({{"w", w, true}, {"b", b, true}},
                  {.rule = UpdateRule::adamw, .weight_decay = 0.1, .decay_all = false, .beta2 = 0.99, .epsilon = 1e-6});
  AdamWByHand weight{2}, bias{-3};
  for (int i = 0; i < 6; ++i) {
    const double rate = 0.05 * (6 - i);
    adamw.zero_grad();
    w.square().sum().add(b.square().mul(0.5).sum()).backward();  // gradients 2 w and b
    adamw.set_rate(rate);
    adamw.step();
    weight.step(2 * weight.value, rate, 0.1);
    bias.step(bias.value, rate, 0);  // of one dimension: not decayed
    EXPECT_NEAR(w.item<double>(), weight.value, 1e-9);
    EXPECT_NEAR(b.item<double>(), bias.value, 1e-9);
  }
  EXPECT_EQ(adamw.state().size(), 5u);  // two slots of two parameters, and the steps
}

TEST(Optimizer, GoesOnExactlyFromRestoredAdamW) {
  const OptimizerOptions options{.rule = UpdateRule::adamw, .weight_decay = 0.1};
  const at::Tensor a = parameter(3), b = parameter(0);
  Optimizer first({{"w", a, true}}, options);
  const auto one_step = [](Optimizer& adamw, const at::Tensor& w) {
    adamw.zero_grad();
    w.square().sum().backward();
    adamw.set_rate(0.05);
    adamw.step();
  };
  for (int i = 0; i < 3; ++i) one_step(first, a);
  b.detach().copy_(a.detach());
  Optimizer second({{"w", b, true}}, options);
  second.restore(first.state());
  for (int i = 0; i < 3; ++i) {
    one_step(first, a);
    one_step(second, b);
  }
  EXPECT_TRUE(at::equal(a.detach(), b.detach()));
}

TEST(Optimizer, DecaysWhatItIsToldAndLeavesAloneWhatHasNoGradient) {
  const at::Tensor w = at::full({1, 1}, 2.0, at::kDouble).set_requires_grad(true), b = parameter(2),
                   idle = parameter(2);
  OptimizerOptions options = sgd_options(0, 0.5, false);
  options.decay_all = false;
  Optimizer sgd({{"w", w, true}, {"b", b, true}, {"idle", idle, true}}, options);
  sgd.zero_grad();
  w.sum().add(b.sum()).backward();
  sgd.set_rate(0.1);
  sgd.step();
  EXPECT_NEAR(w.item<double>(), 2 - 0.1 * (1 + 0.5 * 2), 1e-12);
  EXPECT_NEAR(b.item<double>(), 2 - 0.1, 1e-12);
  EXPECT_EQ(idle.item<double>(), 2);
}

TEST(Optimizer, ClipsTheNormOfAllGradients) {
  const at::Tensor a = parameter(0), b = parameter(0);
  Optimizer sgd({{"a", a, true}, {"b", b, true}}, sgd_options(0, 0, false));
  a.mul(3).add(b.mul(4)).sum().backward();  // the norm of (3, 4)
  const at::Tensor norm = sgd.gradient_norm();
  EXPECT_NEAR(norm.item<double>(), 5, 1e-12);
  sgd.clip(norm, 10);
  EXPECT_NEAR(a.grad().item<double>(), 3, 1e-12);
  sgd.clip(norm, 1);
  EXPECT_NEAR(a.grad().item<double>(), 0.6, 1e-6);
  EXPECT_NEAR(b.grad().item<double>(), 0.8, 1e-6);
}

at::Tensor matrix(const nlohmann::json& rows) {
  std::vector<double> values;
  for (const auto& row : rows) {
    for (const auto& value : row) values.push_back(value.get<double>());
  }
  return at::tensor(values, at::kDouble).reshape({static_cast<std::int64_t>(rows.size()), -1});
}

TEST(Optimizer, EqualsTenStepsOfPyTorch) {
  const auto file = testing::golden("losses/sgd_10steps.json");
  if (!file) GTEST_SKIP() << "golden losses/sgd_10steps.json is not here";
  const nlohmann::json golden = nlohmann::json::parse(read_file(*file));
  const at::Tensor x = matrix(golden["X"]).to(at::kFloat);
  const at::Tensor labels = at::tensor(golden["Y"].get<std::vector<std::int64_t>>(), at::kLong);
  const std::pair<const char*, OptimizerOptions> runs[] = {{"plain_f32", sgd_options(0, 0, false)},
                                                           {"momentum_m0.9_wd1e-4_f32", sgd_options(0.9, 1e-4, false)},
                                                           {"nesterov_m0.9_wd5e-4_f32", sgd_options(0.9, 5e-4)},
                                                           {"nesterov_neglr_f32", sgd_options(0.9, 1e-4)}};
  for (const auto& [name, options] : runs) {
    const at::Tensor weight = matrix(golden["W0"]).to(at::kFloat).set_requires_grad(true);
    const at::Tensor bias = at::tensor(golden["b0"].get<std::vector<double>>(), at::kFloat).set_requires_grad(true);
    Optimizer sgd({{"W", weight, true}, {"b", bias, true}}, options);
    for (const auto& step : golden["runs"][name]) {
      sgd.zero_grad();
      const at::Tensor loss = x.matmul(weight.t()).add(bias).log_softmax(1).gather(1, labels.unsqueeze(1)).mean().neg();
      EXPECT_NEAR(loss.item<double>(), step["loss"].get<double>(), 2e-6) << name;
      loss.backward();
      sgd.set_rate(step["lr"].get<double>());
      sgd.step();
      // float32 sums in another order: a few units in the last place of values near 1
      EXPECT_TRUE(weight.detach().to(at::kDouble).allclose(matrix(step["W"]), 1e-5, 2e-6)) << name;
    }
  }
}

}  // namespace
}  // namespace nearfar
