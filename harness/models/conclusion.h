#pragma once
/// What a set of tensors that fits nothing probably is, in words a person can act on. Internal to models/. Pure
/// functions.
#include "models/fit.h"
#include "models/named_tensor.h"

#include <string>
#include <vector>

namespace nearfar {

/// The end of a refusal: what the tensors look like, what keeps them from the nearest network of ours, what to do, and
/// the networks there are.
std::string conclusion(const std::vector<NamedTensor>& tensors, const Fit& best, const std::vector<Mapping>& mappings,
                       const FitOptions& options);

}  // namespace nearfar
