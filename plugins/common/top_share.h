#pragma once
/// How many of D features a percentile keeps, and their sum.
#include <ATen/core/Tensor.h>

#include <cmath>
#include <cstdint>
#include <tuple>

namespace nearfar::common {

/// D - round(D q / 100), halves to even as numpy rounds; at least 1.
inline std::int64_t kept_features(std::int64_t width, double q) {
  const auto dropped = static_cast<std::int64_t>(std::nearbyint(static_cast<double>(width) * q / 100.0));
  return width - dropped < 1 ? 1 : width - dropped;
}

struct TopShare {
  at::Tensor values, indices;  ///< [N,k] the largest features of each row
  at::Tensor all, top;         ///< [N,1] sums of all features and of those
};
inline TopShare top_share(const at::Tensor& features, std::int64_t kept) {
  const auto [values, indices] = features.topk(kept, 1);
  return {values, indices, features.sum(1, true), values.sum(1, true)};
}

/// exp(all / top) of each row [N,1], for features that are multiplied by it. Two exponents at most: a row without a
/// positive activation (0 / 0) stays as it is.
inline at::Tensor share_factor(const TopShare& share) {
  return share.all.div(share.top).nan_to_num(0, 80, 0).clamp_max(80).exp();
}

/// features times factors, kept where the head's logits are still finite: exp(80) of huge features is not.
inline at::Tensor scaled(const at::Tensor& features, const at::Tensor& factors) {
  return features.mul(factors).clamp_(-1e30, 1e30);
}

}  // namespace nearfar::common
