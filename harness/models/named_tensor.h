#pragma once
/// A tensor with its name: what networks expose and weight files hold.
#include <ATen/core/Tensor.h>

#include <string>

namespace nearfar {

struct NamedTensor {
  std::string name;
  at::Tensor tensor;
  bool parameter = false;  ///< trained, as opposed to a buffer (running mean); not stored in files
};

}  // namespace nearfar
