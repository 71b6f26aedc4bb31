#pragma once
/// Mahalanobis distance to the nearest of some means under one covariance, as two GEMMs.
#include "whitening.h"

#include <ATen/core/Tensor.h>

namespace nearfar::common {

class NearestMean {
 public:
  NearestMean() = default;
  /// covariance [D,D] float64; means [K,D], K >= 1.
  NearestMean(const at::Tensor& covariance, const at::Tensor& means) {
    const at::Tensor exact = means.toType(at::kDouble);
    centre_ = exact.mean(0);
    whitening_ = whitening(covariance);
    whitened_means_ = exact.sub(centre_).mm(whitening_);
    mean_norms_ = whitened_means_.square().sum(1);
  }

  /// [n,D] float32 -> [n] float64: min over means of |z - m|^2, expanded. The covariance's condition times float64's
  /// epsilon is what the expansion loses: 1e-9 where the precision's trace is 5e6. In float32 it would lose the third
  /// digit.
  at::Tensor distances(const at::Tensor& features) const {
    const at::Tensor z = features.toType(at::kDouble).sub_(centre_).mm(whitening_);  // [n,R]
    const at::Tensor nearest = z.mm(whitened_means_.t()).mul_(-2).add_(mean_norms_).amin(1);
    return nearest.add_(z.square().sum(1)).clamp_min_(0);
  }

 private:
  at::Tensor centre_;          // [D] float64
  at::Tensor whitening_;       // [D,R] float64
  at::Tensor whitened_means_;  // [K,R] float64
  at::Tensor mean_norms_;      // [K] float64
};

}  // namespace nearfar::common
