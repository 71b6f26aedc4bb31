#pragma once
/// Steps in the images along the sign of a gradient.
#include <nearfar/network_batch.h>

#include <ATen/core/Tensor.h>
#include <ATen/ops/from_blob.h>

#include <cstdint>
#include <vector>

namespace nearfar::common {

/// +1 where the gradient is not negative (zero counts as +1), else -1; a NaN is -1.
inline at::Tensor signs(const at::Tensor& gradient) { return gradient.ge(0).toType(at::kFloat).sub_(0.5).mul_(2); }

/// [1,channels,1,1] float32: the std of the images' normalisation.
inline at::Tensor pixel_std(const NetworkBatch& batch) {
  std::vector<double> std = batch.pixel_std();
  const auto channels = static_cast<std::int64_t>(std.size());
  return at::from_blob(std.data(), {1, channels, 1, 1}, at::TensorOptions(at::kDouble)).to(batch.images().options());
}

}  // namespace nearfar::common
