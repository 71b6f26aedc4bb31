#include "features/finite.h"

#include "base/error.h"

#include <fmt/format.h>

#include <bit>
#include <cmath>
#include <span>
#include <vector>

namespace nearfar {
namespace {

/// No branch, so that it runs at the memory's speed.
bool all_finite(std::span<const float> values) {
  constexpr std::uint32_t kExponent = 0x7f800000;
  std::uint32_t bad = 0;
  for (const float value : values) bad |= (std::bit_cast<std::uint32_t>(value) & kExponent) == kExponent ? 1U : 0U;
  return bad == 0;
}

std::string value_text(std::span<const float> row) {
  for (const float value : row) {
    if (std::isnan(value)) return "nan";
    if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  }
  return "";
}

}  // namespace

NonFinite find_nonfinite(const at::Tensor& matrix) {
  NEARFAR_ASSERT(matrix.dim() == 2 && matrix.is_contiguous() && matrix.scalar_type() == at::kFloat);
  const auto width = static_cast<std::size_t>(matrix.size(1));
  const std::span<const float> all(matrix.const_data_ptr<float>(), static_cast<std::size_t>(matrix.numel()));
  NonFinite found;
  constexpr std::int64_t kRows = 1024;  // looked at together: nearly always all of them are fine
  for (std::int64_t begin = 0; begin < matrix.size(0); begin += kRows) {
    const std::int64_t end = std::min(begin + kRows, matrix.size(0));
    if (all_finite(all.subspan(static_cast<std::size_t>(begin) * width, static_cast<std::size_t>(end - begin) * width)))
      continue;
    for (std::int64_t row = begin; row < end; ++row) {
      const auto values = all.subspan(static_cast<std::size_t>(row) * width, width);
      if (all_finite(values)) continue;
      if (found.rows++ == 0) found.first = row, found.value = value_text(values);
    }
  }
  return found;
}

std::string nonfinite_cause(Network& network) {
  std::vector<std::string> wrong;
  const auto tell = [&](const std::string& name, const char* what) {
    if (wrong.size() < 3) wrong.push_back(fmt::format("'{}' holds {}", name, what));
  };
  for (const NamedTensor& named : network.named_tensors()) {
    if (!named.tensor.is_floating_point() || named.tensor.numel() == 0) continue;
    const at::Tensor values = named.tensor.detach();
    if (values.isnan().any().item<bool>()) {
      tell(named.name, "NaN");
    } else if (values.isinf().any().item<bool>()) {
      tell(named.name, "infinity");
    } else if (named.name.ends_with("running_var") && values.lt(0).any().item<bool>()) {
      tell(named.name, "a negative variance");
    }
  }
  if (!wrong.empty()) return fmt::format("of the weights, {}; get or train them again", fmt::join(wrong, ", "));
  return "the weights are finite, so a layer overflows: look at the normalisation of the images and at the size of the "
         "weights";
}

std::string nonfinite_text(std::string_view set, std::string_view tensor, const NonFinite& found, std::int64_t of,
                           std::string_view cause) {
  const std::string image = found.image.empty() ? "" : fmt::format(" ({})", found.image);
  return fmt::format("'{}': {} of image {}{} are not finite ({}), {} of {} images in all: {}", set, tensor, found.first,
                     image, found.value, found.rows, of, cause);
}

}  // namespace nearfar
