#pragma once
/// Fingerprints of networks that people have and nearfar has not: a refusal names them. Internal to models/.
#include "models/named_tensor.h"

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace nearfar {

/// Neither the number of classes nor the order of a file matters: tensors without dimensions (counters) are left out,
/// names are sorted, and elements counted per row of the first dimension.
struct KnownNetwork {
  const char* name;  ///< "torchvision's efficientnet_b0"
  std::int64_t tensors;
  std::uint32_t names_crc32;  ///< of the sorted names, a newline behind each
  std::int64_t row_elements;
};

std::span<const KnownNetwork> known_networks();

/// The network whose names and shapes these are, or nullopt.
std::optional<std::string_view> recognise(const std::vector<NamedTensor>& tensors);

}  // namespace nearfar
