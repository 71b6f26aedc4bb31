#pragma once
/// The pseudo-inverse of a covariance as a whitening matrix: Mahalanobis distances become plain ones, and GEMMs.
#include <ATen/core/Tensor.h>
#include <ATen/ops/linalg_eigh.h>

#include <limits>
#include <tuple>

namespace nearfar::common {

/// W [D,R] float64 with W W^T = pinvh(covariance): eigenvalues with |l| <= D eps max|l| are dropped
/// (scipy.linalg.pinvh), R of them stay. A negative eigenvalue that large is not a covariance's; it is dropped too.
inline at::Tensor whitening(const at::Tensor& covariance) {
  const auto [values, vectors] = at::linalg_eigh(covariance);
  const double cut = static_cast<double>(covariance.size(0)) * std::numeric_limits<double>::epsilon() *
                     values.abs().max().item<double>();
  const at::Tensor kept = values.gt(cut).nonzero().squeeze(1);
  return vectors.index_select(1, kept).mul(values.index_select(0, kept).rsqrt());
}

}  // namespace nearfar::common
