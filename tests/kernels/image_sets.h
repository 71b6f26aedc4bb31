#pragma once
/// Random image sets as the kernels take them and as ImageView. Used by tests only.
#include "models/images.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/randint.h>

#include <vector>

namespace nearfar::testing {

inline at::Tensor long_tensor(const std::vector<std::int64_t>& values) {
  at::Tensor result = at::empty({static_cast<std::int64_t>(values.size())}, at::kLong);
  std::copy(values.begin(), values.end(), result.mutable_data_ptr<std::int64_t>());
  return result;
}

struct ImageSet {
  ImageSet(std::int64_t count, std::int64_t channels, std::int64_t height, std::int64_t width, std::uint64_t seed)
      : labels(static_cast<std::size_t>(count)) {
    pixels = at::randint(0, 256, {count, height, width, channels}, at::make_generator<at::CPUGeneratorImpl>(seed),
                         at::kByte);
    std::vector<double> mean, deviation;
    for (std::int64_t c = 0; c < channels; ++c) {
      mean.push_back(0.5 - 0.02 * static_cast<double>(c));
      deviation.push_back(0.24 + 0.01 * static_cast<double>(c));
    }
    view = {{pixels.const_data_ptr<std::uint8_t>(), static_cast<std::size_t>(pixels.numel())},
            labels,
            count,
            channels,
            height,
            width,
            mean,
            deviation};
    std::vector<float> values = normalization_table(view);
    table = at::from_blob(values.data(), {channels, 256}, at::kFloat).clone();
  }
  at::Tensor pixels, table;
  std::vector<std::int64_t> labels;
  ImageView view;
};

/// Equal to the bit, and in the same memory format.
inline bool same_memory(const at::Tensor& a, const at::Tensor& b) {
  return a.scalar_type() == b.scalar_type() && a.sizes() == b.sizes() && a.strides() == b.strides() && a.equal(b);
}

}  // namespace nearfar::testing
