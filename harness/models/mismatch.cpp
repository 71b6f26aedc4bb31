#include "models/mismatch.h"

#include "base/text.h"

#include <ATen/core/Tensor.h>
#include <fmt/format.h>

#include <algorithm>
#include <map>

namespace nearfar {
namespace {

std::string some(const std::vector<std::string>& names) {
  constexpr std::size_t kShown = 10;
  if (names.empty()) return "0";
  const std::span<const std::string> shown = std::span(names).first(std::min(kShown, names.size()));
  return fmt::format("{} ({}{})", names.size(), join(shown, ", "), names.size() > kShown ? ", …" : "");
}

bool fits(at::ScalarType have, at::ScalarType want, Types types) {
  if (have == want || types == Types::equal) return have == want;
  return (at::isFloatingType(have) && at::isFloatingType(want)) ||
         (at::isIntegralType(have, false) && at::isIntegralType(want, false));
}

}  // namespace

std::string printable(std::string_view text) {
  constexpr std::size_t kShown = 100;
  std::string result;
  for (const char c : text.substr(0, kShown)) {
    const auto byte = static_cast<unsigned char>(c);
    result += byte < 0x20 || byte > 0x7e ? fmt::format("\\x{:02x}", byte) : std::string(1, c);
  }
  return text.size() > kShown ? result + "…" : result;
}

std::string shape_text(const at::Tensor& tensor) {
  std::vector<std::string> sizes;
  for (const std::int64_t size : tensor.sizes()) sizes.push_back(std::to_string(size));
  return fmt::format("{} [{}]", c10::toString(tensor.scalar_type()), join(sizes, ","));
}

std::string Mismatch::text() const {
  return fmt::format("missing {}; unexpected {}; wrong shape {}", some(missing), some(unexpected), some(wrong));
}

Mismatch compare_tensors(const std::vector<NamedTensor>& expected, const std::vector<NamedTensor>& given, Types types) {
  std::map<std::string_view, const at::Tensor*> by_name;
  for (const NamedTensor& named : given) by_name[named.name] = &named.tensor;
  Mismatch result;
  for (const NamedTensor& named : expected) {
    const auto found = by_name.find(named.name);
    if (found == by_name.end()) {
      result.missing.push_back(named.name);
      continue;
    }
    const at::Tensor& tensor = *found->second;
    if (tensor.sizes() != named.tensor.sizes() || !fits(tensor.scalar_type(), named.tensor.scalar_type(), types)) {
      result.wrong.push_back(
          fmt::format("{} is {}, expected {}", named.name, shape_text(tensor), shape_text(named.tensor)));
    }
    by_name.erase(found);
  }
  for (const auto& [name, tensor] : by_name) result.unexpected.push_back(printable(name));
  return result;
}

}  // namespace nearfar
