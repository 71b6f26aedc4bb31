#pragma once
/// Weights by formula: what tools/make_model_golden.py fills its networks with, computed again.
#include "models/named_tensor.h"

#include <string>
#include <vector>

namespace nearfar::testing {

/// float32 of any shape; its kind (and so its range) is told by `name`, its foreign name.
at::Tensor formula_tensor(const std::string& name, const std::vector<std::int64_t>& shape);

}  // namespace nearfar::testing
