#pragma once
/// numpy.percentile as numpy 2 has it for float32 arrays: rank, fraction and interpolation in float32.
#include <nearfar/error.h>
#include <nearfar/to_host.h>

#include <ATen/core/Tensor.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

namespace nearfar::common {

/// The q-th percentile (0 … 100) of all values, linear interpolation between order statistics. Error(data) without a
/// value.
inline float percentile(const at::Tensor& values, double q) {
  const at::Tensor flat = to_host(values).reshape({-1}).contiguous();
  const std::int64_t count = flat.numel();
  if (count == 0) throw Error(ErrorKind::data, "a percentile of no values: there are no images to fit on");
  const float* data = flat.const_data_ptr<float>();
  std::vector<float> sorted(data, data + count);
  const float rank = static_cast<float>(count - 1) * (static_cast<float>(q) / 100.0F);
  const auto below = std::min(static_cast<std::int64_t>(std::floor(rank)), count - 1),
             above = std::min(below + 1, count - 1);
  const auto at = [&](std::int64_t index) {
    std::nth_element(sorted.begin(), sorted.begin() + index, sorted.end());
    return sorted[static_cast<std::size_t>(index)];
  };
  const float low = at(below), high = at(above), t = rank - static_cast<float>(below);
  const float step = high - low;
  return t >= 0.5F ? high - step * (1.0F - t) : low + step * t;  // numpy's _lerp
}

}  // namespace nearfar::common
