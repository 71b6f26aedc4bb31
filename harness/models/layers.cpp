#include "models/layers.h"

#include "models/shared_norm.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/batch_norm.h>
#include <ATen/ops/conv2d.h>
#include <ATen/ops/layer_norm.h>
#include <ATen/ops/linear.h>

#include <optional>

namespace nearfar {
namespace {

std::optional<at::Tensor> if_defined(const at::Tensor& tensor) {
  return tensor.defined() ? std::optional(tensor) : std::nullopt;
}

}  // namespace

Convolution::Convolution(const Scope& scope, const Shape& shape, Fill weight)
    : weight_(scope.parameter("weight", {shape.out, shape.in / shape.groups, shape.kernel, shape.kernel}, weight)),
      stride_(shape.stride),
      padding_(shape.padding),
      groups_(shape.groups) {}

Convolution::Convolution(const Scope& scope, const Shape& shape, Fill weight, Fill bias)
    : Convolution(scope, shape, weight) {
  bias_ = scope.parameter("bias", {shape.out}, bias);
}

at::Tensor Convolution::operator()(const at::Tensor& in) const {
  return at::conv2d(in, weight_, if_defined(bias_), {stride_, stride_}, {padding_, padding_}, {1, 1}, groups_);
}

BatchNorm::BatchNorm(const Scope& scope, std::int64_t width)
    : weight_(scope.parameter("weight", {width}, Fill::constant(1))),
      bias_(scope.parameter("bias", {width}, Fill::constant(0))),
      mean_(scope.buffer("running_mean", {width}, 0)),
      variance_(scope.buffer("running_var", {width}, 1)),
      batches_(scope.buffer("num_batches_tracked", {}, 0, at::kLong)) {}

at::Tensor BatchNorm::operator()(const at::Tensor& in, bool training) const {
  constexpr double kMomentum = 0.1, kEpsilon = 1e-5;
  if (training) batches_.add_(1);
  if (training && SharedBatchNorm::is_on())
    return shared_batch_norm(in, weight_, bias_, mean_, variance_, kMomentum, kEpsilon);
  return at::batch_norm(in, weight_, bias_, mean_, variance_, training, kMomentum, kEpsilon, true);
}

Linear::Linear(const Scope& scope, std::int64_t in, std::int64_t out, Fill weight)
    : weight_(scope.parameter("weight", {out, in}, weight)) {}

Linear::Linear(const Scope& scope, std::int64_t in, std::int64_t out, Fill weight, Fill bias)
    : Linear(scope, in, out, weight) {
  bias_ = scope.parameter("bias", {out}, bias);
}

at::Tensor Linear::operator()(const at::Tensor& in) const { return at::linear(in, weight_, if_defined(bias_)); }

LayerNorm::LayerNorm(const Scope& scope, std::int64_t width, double epsilon)
    : weight_(scope.parameter("weight", {width}, Fill::constant(1))),
      bias_(scope.parameter("bias", {width}, Fill::constant(0))),
      epsilon_(epsilon) {}

at::Tensor LayerNorm::operator()(const at::Tensor& in) const {
  return at::layer_norm(in, {weight_.size(0)}, weight_, bias_, epsilon_);
}

}  // namespace nearfar
