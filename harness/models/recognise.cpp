#include "models/known_networks.h"

#include <ATen/core/Tensor.h>
#include <zlib.h>

#include <algorithm>
#include <string>

namespace nearfar {

std::optional<std::string_view> recognise(const std::vector<NamedTensor>& tensors) {
  std::vector<std::string> names;
  std::int64_t row_elements = 0;
  for (const NamedTensor& one : tensors) {
    if (one.tensor.dim() == 0) continue;
    names.push_back(one.name + "\n");
    if (one.tensor.size(0) > 0) row_elements += one.tensor.numel() / one.tensor.size(0);
  }
  std::sort(names.begin(), names.end());
  uLong crc = crc32(0, nullptr, 0);
  for (const std::string& name : names) {
    crc = crc32(crc, reinterpret_cast<const Bytef*>(name.data()), static_cast<uInt>(name.size()));
  }
  for (const KnownNetwork& known : known_networks()) {
    if (known.tensors == static_cast<std::int64_t>(names.size()) && known.names_crc32 == crc &&
        known.row_elements == row_elements)
      return known.name;
  }
  return std::nullopt;
}

}  // namespace nearfar
