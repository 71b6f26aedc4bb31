#pragma once
/// Tensors with their names: what networks expose, what weight files hold, what an optimiser keeps.
#include <ATen/core/Tensor.h>

#include <string>

namespace nearfar {

struct NamedTensor {
  std::string name;
  at::Tensor tensor;
  bool parameter = false;  ///< trained, as opposed to a buffer (running mean); not stored in files
};

/// One of the tensors that an optimiser keeps for a parameter.
struct OptimizerTensor {
  std::string slot;       ///< "momentum"; without '.'
  std::string parameter;  ///< its name
  at::Tensor tensor;
};

}  // namespace nearfar
