#include "host/torch_symbols.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <unordered_map>

namespace nearfar {
namespace {

struct Names {
  int first, gone;  // minor versions; gone = 0 for never
  std::string_view names;
};

#define TORCH_TABLE(oldest, newest)                 \
  constexpr int kOldest = oldest, kNewest = newest; \
  constexpr Names kGroups[] = {
#define TORCH_NAMES(first, gone, names) Names{first, gone, names},
#include "host/torch_symbols.inc"
};  // namespace
#undef TORCH_TABLE
#undef TORCH_NAMES

using Table = std::unordered_map<std::string_view, TorchSymbol>;

Table read_table() {
  Table table;
  for (const Names& group : kGroups) {
    const TorchSymbol symbol{.first = {2, group.first},
                             .gone = group.gone == 0 ? std::nullopt : std::optional(TorchVersion{2, group.gone})};
    for (std::string_view rest = group.names; !rest.empty();) {
      const std::size_t end = rest.find(' ');
      table.emplace(rest.substr(0, end), symbol);
      rest.remove_prefix(end + 1);  // every name ends with a blank
    }
  }
  return table;
}

}  // namespace nearfar

std::string TorchVersion::text() const { return fmt::format("{}.{}", major, minor); }

std::optional<TorchVersion> torch_version(std::string_view text) {
  TorchVersion version;
  const char* const end = text.data() + text.size();
  const auto major = std::from_chars(text.data(), end, version.major);
  if (major.ec != std::errc() || major.ptr == end || *major.ptr != '.') return std::nullopt;
  const auto minor = std::from_chars(major.ptr + 1, end, version.minor);
  if (minor.ec != std::errc() || (minor.ptr != end && *minor.ptr != '.')) return std::nullopt;
  if (version.major < 0 || version.minor < 0) return std::nullopt;
  return version;
}

TorchVersion oldest_known_torch() { return {2, kOldest}; }
TorchVersion newest_known_torch() { return {2, kNewest}; }

bool is_torch_c_name(std::string_view name) { return name.starts_with("torch_") || name.starts_with("aoti_torch_"); }

bool is_torch_device_name(std::string_view name) {
  for (const std::string_view device : {"aoti_torch_cuda_", "aoti_torch_xpu_", "aoti_torch_mps_"}) {
    if (name.starts_with(device)) return true;
  }
  return false;
}

std::optional<TorchSymbol> torch_symbol(std::string_view name) {
  static const Table table = read_table();
  const auto found = table.find(name);
  return found == table.end() ? std::nullopt : std::optional(found->second);
}

}  // namespace nearfar
