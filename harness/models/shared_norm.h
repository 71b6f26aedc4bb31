#pragma once
/// Batch norm over the batches of several processes that train one model together.
#include <ATen/core/Tensor.h>

#include <functional>

namespace nearfar {

/// Sums a tensor over all processes, in place.
using SumOverRanks = std::function<void(const at::Tensor&)>;

/// While it lives, batch norm in training mode, of any network of this process, takes mean and variance over the images
/// of all processes, forward and backward, and moves the running ones by them (SyncBatchNorm). One at a time.
class SharedBatchNorm {
 public:
  explicit SharedBatchNorm(SumOverRanks sum);
  ~SharedBatchNorm();
  SharedBatchNorm(const SharedBatchNorm&) = delete;
  SharedBatchNorm& operator=(const SharedBatchNorm&) = delete;

  static bool is_on();
};

/// in [N,C,...]; weight, bias, and the running mean and variance (moved by `momentum`) [C] -> as `in`. The statistics
/// are sums in float64 over all processes; the running variance is the unbiased one. Error(internal) where none is on.
at::Tensor shared_batch_norm(const at::Tensor& in, const at::Tensor& weight, const at::Tensor& bias,
                             const at::Tensor& running_mean, const at::Tensor& running_variance, double momentum,
                             double epsilon);

}  // namespace nearfar
