#pragma once
/// Logits of changed features, and their free energy: the score of every activation-shaping method.
#include <nearfar/features.h>

#include <ATen/core/Tensor.h>
#include <ATen/ops/addmm.h>

namespace nearfar::common {

/// features [N,D] through the linear head: [N,C].
inline at::Tensor head_logits(const at::Tensor& features, const at::Tensor& weight, const at::Tensor& bias) {
  return at::addmm(bias, features, weight.t());
}

/// -logsumexp of logits [N,C]: [N], higher = more out-of-distribution. Liu et al. 2020, arXiv:2010.03759, eq. 6 at T =
/// 1, sign flipped.
inline at::Tensor energy(const at::Tensor& logits) { return logits.logsumexp(1).neg(); }

}  // namespace nearfar::common
