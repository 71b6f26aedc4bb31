#pragma once
/// Are features and logits numbers? Looked at once, when they are made or first read, so that no method has to meet NaN
/// in its own way. Pure functions.
#include "models/network.h"

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace nearfar {

/// Rows of a matrix that hold NaN or infinity; `rows` == 0: none does.
struct NonFinite {
  std::int64_t rows = 0;
  std::int64_t first = 0;  ///< the first of them
  std::string value = {};  ///< what it holds: "nan", "inf" or "-inf"
  std::string image = {};  ///< where it comes from, for a person; may be empty

  bool operator==(const NonFinite&) const = default;
};

/// [N,K] float32, contiguous.
NonFinite find_nonfinite(const at::Tensor& matrix);

/// What to look at when a network makes such values: which of its tensors hold NaN or infinity, or a negative running
/// variance; else that something overflows on the way.
std::string nonfinite_cause(Network& network);

/// "'far/x': logits of image 3 (…) are not finite (nan), 5 of 40 images in all: CAUSE".
std::string nonfinite_text(std::string_view set, std::string_view tensor, const NonFinite& found, std::int64_t of,
                           std::string_view cause);

}  // namespace nearfar
