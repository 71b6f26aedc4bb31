#include "base/memory.h"

#include <algorithm>
#include <charconv>
#include <fstream>
#include <limits>
#include <sstream>
#include <string>

namespace nearfar {
namespace {
namespace fs = std::filesystem;

constexpr std::int64_t kUnlimited = std::numeric_limits<std::int64_t>::max();

/// The number that a file begins with; unlimited where there is none ("max"), or one too large.
std::int64_t number_in(const fs::path& file) {
  std::ifstream stream(file);
  std::string text;
  stream >> text;
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() ? value : kUnlimited;
}

/// The smallest limit from a group up to its root.
std::int64_t smallest(const fs::path& mount, fs::path group, const char* name) {
  std::int64_t least = kUnlimited;
  for (;; group = group.parent_path()) {
    least = std::min(least, number_in(mount / group / name));
    if (group.empty()) return least;
  }
}

}  // namespace

std::int64_t memory_limit(const fs::path& root) {
  std::int64_t least = kUnlimited;
  std::ifstream meminfo(root / "proc/meminfo");
  for (std::string name, rest; meminfo >> name && std::getline(meminfo, rest);) {
    std::int64_t kib = 0;
    if (name == "MemTotal:" && std::istringstream(rest) >> kib) least = kib * 1024;
  }
  std::ifstream groups(root / "proc/self/cgroup");  // NUMBER:CONTROLLERS:/PATH
  for (std::string line; std::getline(groups, line);) {
    const std::size_t first = line.find(':'), second = line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    const fs::path group = fs::path(line.substr(second + 1)).relative_path();
    const fs::path mounts = root / "sys/fs/cgroup";
    if (controllers.empty()) {
      least = std::min(least, smallest(mounts, group, "memory.max"));
    } else if (("," + controllers + ",").find(",memory,") != std::string::npos) {
      least = std::min(least, smallest(mounts / "memory", group, "memory.limit_in_bytes"));
    }
  }
  return least;
}

}  // namespace nearfar
