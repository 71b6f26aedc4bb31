#pragma once
/// Rows of length one, as losses divide them: torch.nn.functional.normalize.
#include <ATen/core/Tensor.h>

namespace nearfar::common {

/// [N,E] -> each row divided by max(its length, 1e-12); a row of zeros stays one.
inline at::Tensor unit_rows(const at::Tensor& rows) { return rows.div(rows.norm(2, {1}, true).clamp_min(1e-12)); }

}  // namespace nearfar::common
