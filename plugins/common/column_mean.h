#pragma once
/// Mean of rows by blocks, in float64.
#include <nearfar/error.h>

#include <ATen/core/Tensor.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <cstdint>

namespace nearfar::common {

/// rows [N,D] float32 -> [D] float32. Error(data) without a row.
inline at::Tensor column_mean(const at::Tensor& rows) {
  constexpr std::int64_t kBlock = 4096;
  const std::int64_t total = rows.size(0);
  if (total == 0) throw Error(ErrorKind::data, "there are no train images to fit on");
  at::Tensor sum = at::zeros({rows.size(1)}, rows.options().dtype(at::kDouble));
  for (std::int64_t first = 0; first < total; first += kBlock)
    sum.add_(rows.narrow(0, first, std::min(kBlock, total - first)).sum(0, false, at::kDouble));
  return sum.div(total).toType(at::kFloat);
}

}  // namespace nearfar::common
