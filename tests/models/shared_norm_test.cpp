#include "models/shared_norm.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/batch_norm.h>
#include <ATen/ops/full.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

namespace nearfar {
namespace {

/// Of one way to compute it: the output, the gradients of input, weight and bias, and the running statistics.
struct Outcome {
  at::Tensor out, in_gradient, weight_gradient, bias_gradient, mean, variance;
};

template <class Norm>
Outcome outcome(const at::Tensor& in, const at::Tensor& weight, const at::Tensor& bias, const at::Tensor& upstream,
                const Norm& norm) {
  const at::Tensor x = in.detach().clone().set_requires_grad(true), w = weight.detach().clone().set_requires_grad(true);
  const at::Tensor b = bias.detach().clone().set_requires_grad(true);
  Outcome result;
  result.mean = at::zeros({in.size(1)});
  result.variance = at::full({in.size(1)}, 1.0F);
  result.out = norm(x, w, b, result.mean, result.variance);
  result.out.mul(upstream).sum().backward();
  result.in_gradient = x.grad();
  result.weight_gradient = w.grad();
  result.bias_gradient = b.grad();
  return result;
}

void expect_near(const Outcome& a, const Outcome& b) {
  EXPECT_TRUE(a.out.allclose(b.out, 1e-5, 1e-5));
  EXPECT_TRUE(a.in_gradient.allclose(b.in_gradient, 1e-4, 1e-5));
  EXPECT_TRUE(a.weight_gradient.allclose(b.weight_gradient, 1e-4, 1e-4));
  EXPECT_TRUE(a.bias_gradient.allclose(b.bias_gradient, 1e-4, 1e-4));
  EXPECT_TRUE(a.mean.allclose(b.mean, 1e-5, 1e-6));
  EXPECT_TRUE(a.variance.allclose(b.variance, 1e-5, 1e-6));
}

at::Tensor shared(const at::Tensor& x, const at::Tensor& w, const at::Tensor& b, const at::Tensor& mean,
                  const at::Tensor& variance) {
  return shared_batch_norm(x, w, b, mean, variance, 0.1, 1e-5);
}

TEST(SharedBatchNorm, IsBatchNormForOneProcess) {
  const SharedBatchNorm alone([](const at::Tensor&) {});
  EXPECT_TRUE(SharedBatchNorm::is_on());
  for (const std::vector<std::int64_t>& shape : {std::vector<std::int64_t>{6, 5, 4, 3}, {7, 5}}) {
    const at::Tensor in = at::randn(shape).mul(3).add(10), weight = at::randn({5}), bias = at::randn({5});
    const at::Tensor upstream = at::randn(shape);
    expect_near(outcome(in, weight, bias, upstream, shared),
                outcome(in, weight, bias, upstream,
                        [](const auto& x, const auto& w, const auto& b, const auto& mean, const auto& variance) {
                          return at::batch_norm(x, w, b, mean, variance, true, 0.1, 1e-5, false);
                        }));
  }
}

TEST(SharedBatchNorm, OfTwoEqualHalvesIsThatOfTheWhole) {
  // Both processes have the same images: every sum is twice this one's.
  const at::Tensor half = at::randn({4, 5, 3, 3}), weight = at::randn({5}), bias = at::randn({5});
  const at::Tensor upstream = at::randn({4, 5, 3, 3});
  const Outcome whole =
      outcome(half.repeat({2, 1, 1, 1}), weight, bias, upstream.repeat({2, 1, 1, 1}),
              [](const auto& x, const auto& w, const auto& b, const auto& mean, const auto& variance) {
                return at::batch_norm(x, w, b, mean, variance, true, 0.1, 1e-5, false);
              });
  const SharedBatchNorm two([](const at::Tensor& sums) { sums.mul_(2); });
  Outcome part = outcome(half, weight, bias, upstream, shared);
  part.out = part.out.repeat({2, 1, 1, 1});
  part.in_gradient = part.in_gradient.repeat({2, 1, 1, 1});
  part.weight_gradient = part.weight_gradient.mul(2);  // what the reducer sums
  part.bias_gradient = part.bias_gradient.mul(2);
  expect_near(part, whole);
}

TEST(SharedBatchNorm, IsOffAfterwards) {
  {
    const SharedBatchNorm alone([](const at::Tensor&) {});
  }
  EXPECT_FALSE(SharedBatchNorm::is_on());
}

}  // namespace
}  // namespace nearfar
