#include "work/oom.h"

#include "base/text.h"

#include <charconv>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>

namespace nearfar {
namespace {
namespace fs = std::filesystem;

std::string content_of(const fs::path& file) {
  std::ifstream stream(file);
  return {std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
}

/// The number of the line "oom_kill N".
std::optional<std::int64_t> oom_kills_in(const fs::path& file) {
  constexpr std::string_view kName = "oom_kill ";
  for (const std::string& line : split(content_of(file), '\n')) {
    if (!line.starts_with(kName)) continue;
    const std::string_view digits = trim(std::string_view(line).substr(kName.size()));
    std::int64_t number = 0;
    if (std::from_chars(digits.data(), digits.data() + digits.size(), number).ec == std::errc{}) return number;
  }
  return std::nullopt;
}

}  // namespace

std::int64_t oom_kill_count(std::string_view cgroups, const fs::path& root, const fs::path& vmstat) {
  for (const std::string& line : split(cgroups, '\n')) {  // "4:memory:/a/b" of version 1, "0::/a/b" of version 2
    const std::size_t first = line.find(':'), second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    const fs::path group = fs::path(line.substr(second + 1)).relative_path();
    std::optional<std::int64_t> found;
    if (controllers == "memory") found = oom_kills_in(root / "memory" / group / "memory.oom_control");
    if (controllers.empty()) found = oom_kills_in(root / group / "memory.events");
    if (found) return *found;
  }
  return oom_kills_in(vmstat).value_or(0);
}

std::int64_t oom_kill_count() {
  return oom_kill_count(content_of("/proc/self/cgroup"), "/sys/fs/cgroup", "/proc/vmstat");
}

}  // namespace nearfar
