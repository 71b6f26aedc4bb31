#include "models/formula.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <zlib.h>

#include <cmath>
#include <string_view>

namespace nearfar::testing {
namespace {

/// Uniform in [0, 1): the number at `index` of splitmix64's sequence.
double uniform(std::uint64_t index) {
  std::uint64_t x = index + 0x9E3779B97F4A7C15u;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
  return static_cast<double>((x ^ (x >> 31)) >> 11) * 0x1p-53;
}

struct Limits {
  double low, high;
};

Limits limits(std::string_view name, const std::vector<std::int64_t>& shape) {
  if (name == "input") return {-2, 2};
  if (name.ends_with("running_var")) return {0.5, 1.5};
  if (name.ends_with("running_mean")) return {-0.2, 0.2};
  if (name.ends_with("bias")) return {-0.1, 0.1};
  if (name.ends_with("layer_scale")) return {0.1, 0.5};
  if (shape.size() == 1) return {0.5, 1};  // the weights of norms
  if (name.ends_with("pos_embedding") || name.ends_with("class_token") || name.ends_with("bias_table"))
    return {-0.5, 0.5};
  std::int64_t fan_in = 1;
  for (std::size_t i = 1; i < shape.size(); ++i) fan_in *= shape[i];
  const double bound = std::sqrt(6.0 / static_cast<double>(fan_in));
  return {-bound, bound};
}

}  // namespace

at::Tensor formula_tensor(const std::string& name, const std::vector<std::int64_t>& shape) {
  at::Tensor tensor = at::empty(shape, at::kFloat);
  const Limits range = limits(name, shape);
  const std::uint64_t first =
      static_cast<std::uint64_t>(crc32(0, reinterpret_cast<const Bytef*>(name.data()), static_cast<uInt>(name.size())))
      << 32;
  float* out = tensor.mutable_data_ptr<float>();
  for (std::int64_t i = 0; i < tensor.numel(); ++i) {
    out[i] = static_cast<float>(range.low + (range.high - range.low) * uniform(first + static_cast<std::uint64_t>(i)));
  }
  return tensor;
}

}  // namespace nearfar::testing
