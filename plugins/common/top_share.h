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

}  // namespace nearfar::common
