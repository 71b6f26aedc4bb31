#pragma once
/// The layers our networks are made of: handles into a State and one call each. They compute what PyTorch's layers of
/// the same name compute.
#include "models/state.h"

#include <ATen/core/Tensor.h>

namespace nearfar {

/// Square kernel; input [N,in,H,W].
class Convolution {
 public:
  struct Shape {
    std::int64_t in, out, kernel, stride = 1, padding = 0;
    std::int64_t groups = 1;  ///< `in` of them: each channel by itself
    std::int64_t fan_in() const { return in / groups * kernel * kernel; }
    std::int64_t fan_out() const { return out * kernel * kernel; }
  };
  Convolution() = default;
  /// Without a bias.
  Convolution(const Scope& scope, const Shape& shape, Fill weight);
  Convolution(const Scope& scope, const Shape& shape, Fill weight, Fill bias);
  at::Tensor operator()(const at::Tensor& in) const;

 private:
  at::Tensor weight_, bias_;
  std::int64_t stride_ = 1, padding_ = 0, groups_ = 1;
};

/// momentum 0.1, eps 1e-5. Training uses the batch's statistics and moves the running ones.
class BatchNorm {
 public:
  BatchNorm() = default;
  BatchNorm(const Scope& scope, std::int64_t width);
  at::Tensor operator()(const at::Tensor& in, bool training) const;

 private:
  at::Tensor weight_, bias_, mean_, variance_, batches_;
};

/// [..., in] -> [..., out].
class Linear {
 public:
  Linear() = default;
  /// Without a bias.
  Linear(const Scope& scope, std::int64_t in, std::int64_t out, Fill weight);
  Linear(const Scope& scope, std::int64_t in, std::int64_t out, Fill weight, Fill bias);
  at::Tensor operator()(const at::Tensor& in) const;

 private:
  at::Tensor weight_, bias_;
};

/// Over the last dimension.
class LayerNorm {
 public:
  LayerNorm() = default;
  LayerNorm(const Scope& scope, std::int64_t width, double epsilon);
  at::Tensor operator()(const at::Tensor& in) const;

 private:
  at::Tensor weight_, bias_;
  double epsilon_ = 0;
};

}  // namespace nearfar
