#include "models/state.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <c10/core/GradMode.h>

#include <cmath>

namespace nearfar {

Fill Fill::layer_default(std::int64_t fan_in) { return uniform(1 / std::sqrt(static_cast<double>(fan_in))); }

Fill Fill::xavier_uniform(std::int64_t fan_in, std::int64_t fan_out) {
  return uniform(std::sqrt(6 / static_cast<double>(fan_in + fan_out)));
}

Fill Fill::kaiming_normal(std::int64_t fan) { return normal(std::sqrt(2 / static_cast<double>(fan))); }

at::Tensor State::add(const std::string& name, const std::vector<std::int64_t>& shape, at::ScalarType type,
                      bool parameter, Fill fill) {
  const at::Tensor tensor = at::empty(shape, at::TensorOptions().dtype(type).device(device_));
  if (parameter) tensor.set_requires_grad(true);
  rows_.push_back({{name, tensor, parameter}, fill});
  return tensor;
}

at::Tensor State::parameter(const std::string& name, const std::vector<std::int64_t>& shape, Fill fill) {
  return add(name, shape, at::kFloat, true, fill);
}

at::Tensor State::buffer(const std::string& name, const std::vector<std::int64_t>& shape, double value,
                         at::ScalarType type) {
  return add(name, shape, type, false, Fill::constant(value));
}

void State::draw(const at::Generator& generator) {
  const c10::AutoGradMode no_gradients(false);
  for (const Row& row : rows_) {
    const at::Tensor& tensor = row.named.tensor;
    switch (row.fill.kind) {
      case Fill::Kind::constant:
        tensor.fill_(row.fill.value);
        break;
      case Fill::Kind::uniform:
        tensor.uniform_(-row.fill.value, row.fill.value, generator);
        break;
      case Fill::Kind::normal:
        tensor.normal_(0, row.fill.value, generator);
        break;
    }
  }
}

void State::channels_last(bool keep_values) {
  const c10::AutoGradMode no_gradients(false);
  for (const Row& row : rows_) {
    at::Tensor tensor = row.named.tensor;
    constexpr at::MemoryFormat kLayout = at::MemoryFormat::ChannelsLast;
    if (!row.named.parameter || tensor.dim() != 4 || tensor.is_contiguous(kLayout)) continue;
    tensor.set_data(keep_values ? tensor.contiguous(kLayout) : at::empty(tensor.sizes(), tensor.options(), kLayout));
  }
}

std::vector<NamedTensor> State::named() const {
  std::vector<NamedTensor> all;
  for (const bool parameters : {true, false}) {
    for (const Row& row : rows_) {
      if (row.named.parameter == parameters) all.push_back(row.named);
    }
  }
  return all;
}

}  // namespace nearfar
