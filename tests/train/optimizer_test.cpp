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

namespace nearfar {
namespace {

at::Tensor parameter(double value) { return at::full({1}, value, at::kDouble).set_requires_grad(true); }

TEST(Sgd, StepsAsWorkedOutByHand) {
  // Gradient 1 (loss = w), w = 2, weight decay 0.5, momentum 0.5, Nesterov, rate 0.1.
  const at::Tensor w = parameter(2);
  Sgd sgd({{"w", w, true}}, {0.5, 0.5, true});
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

TEST(Sgd, GoesOnExactlyFromRestoredMomentum) {
  const at::Tensor a = parameter(3), b = parameter(0);
  Sgd first({{"w", a, true}}, {0.9, 0.1, true});
  const auto one_step = [](Sgd& sgd, const at::Tensor& w) {
    sgd.zero_grad();
    w.square().sum().backward();
    sgd.set_rate(0.05);
    sgd.step();
  };
  for (int i = 0; i < 3; ++i) one_step(first, a);
  b.detach().copy_(a.detach());
  Sgd second({{"w", b, true}}, {0.9, 0.1, true});
  second.restore(first.state());
  for (int i = 0; i < 3; ++i) {
    one_step(first, a);
    one_step(second, b);
  }
  EXPECT_TRUE(at::equal(a.detach(), b.detach()));
}

TEST(Sgd, RefusesStateOfAnotherParameterOrSlotAndKeepsItsOwn) {
  const at::Tensor w = parameter(1);
  Sgd sgd({{"w", w, true}}, {});
  EXPECT_THROW(sgd.restore({{"momentum", "w", w.detach()}, {"momentum", "v", w.detach()}}), Error);
  EXPECT_THROW(sgd.restore({{"momentum", "w", at::full({2}, 1.0)}}), Error);
  EXPECT_THROW(sgd.restore({{"exp_avg", "w", w.detach()}}), Error);
  EXPECT_TRUE(sgd.state().empty());
}

at::Tensor matrix(const nlohmann::json& rows) {
  std::vector<double> values;
  for (const auto& row : rows) {
    for (const auto& value : row) values.push_back(value.get<double>());
  }
  return at::tensor(values, at::kDouble).reshape({static_cast<std::int64_t>(rows.size()), -1});
}

TEST(Sgd, EqualsTenStepsOfPyTorch) {
  const auto file = testing::golden("losses/sgd_10steps.json");
  if (!file) GTEST_SKIP() << "golden losses/sgd_10steps.json is not here";
  const nlohmann::json golden = nlohmann::json::parse(read_file(*file));
  const at::Tensor x = matrix(golden["X"]).to(at::kFloat);
  const at::Tensor labels = at::tensor(golden["Y"].get<std::vector<std::int64_t>>(), at::kLong);
  const std::pair<const char*, SgdOptions> runs[] = {{"plain_f32", {0, 0, false}},
                                                     {"momentum_m0.9_wd1e-4_f32", {0.9, 1e-4, false}},
                                                     {"nesterov_m0.9_wd5e-4_f32", {0.9, 5e-4, true}},
                                                     {"nesterov_neglr_f32", {0.9, 1e-4, true}}};
  for (const auto& [name, options] : runs) {
    const at::Tensor weight = matrix(golden["W0"]).to(at::kFloat).set_requires_grad(true);
    const at::Tensor bias = at::tensor(golden["b0"].get<std::vector<double>>(), at::kFloat).set_requires_grad(true);
    Sgd sgd({{"W", weight, true}, {"b", bias, true}}, options);
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
