#include "work/oom.h"

#include "base/text.h"

#include <unistd.h>

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

std::optional<std::int64_t> number_in(std::string_view text) {
  text = trim(text);
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc{} && end == text.data() + text.size() ? std::optional(number) : std::nullopt;
}

/// The number of the line "oom_kill N".
std::optional<std::int64_t> oom_kills_in(const fs::path& file) {
  constexpr std::string_view kName = "oom_kill ";
  for (const std::string& line : split(content_of(file), '\n')) {
    if (!line.starts_with(kName)) continue;
    return number_in(std::string_view(line).substr(kName.size()));
  }
  return std::nullopt;
}

/// Calls `look` with the folder of our memory cgroup and whether it is of version 1, for each that there may be.
template <class Look>
void visit_cgroups(std::string_view cgroups, const fs::path& root, Look look) {
  for (const std::string& line : split(cgroups, '\n')) {  // "4:memory:/a/b" of version 1, "0::/a/b" of version 2
    const std::size_t first = line.find(':'), second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    const fs::path group = fs::path(line.substr(second + 1)).relative_path();
    if (controllers == "memory") look(root / "memory" / group, true);
    if (controllers.empty()) look(root / group, false);
  }
}

}  // namespace

std::int64_t oom_kill_count(std::string_view cgroups, const fs::path& root, const fs::path& vmstat) {
  std::optional<std::int64_t> found;
  visit_cgroups(cgroups, root, [&](const fs::path& group, bool first) {
    if (!found) found = oom_kills_in(group / (first ? "memory.oom_control" : "memory.events"));
  });
  if (found) return *found;
  return oom_kills_in(vmstat).value_or(0);
}

std::int64_t oom_kill_count() {
  return oom_kill_count(content_of("/proc/self/cgroup"), "/sys/fs/cgroup", "/proc/vmstat");
}

std::int64_t machine_memory() {
  const long pages = ::sysconf(_SC_PHYS_PAGES), page = ::sysconf(_SC_PAGESIZE);
  std::int64_t memory = pages > 0 && page > 0 ? std::int64_t{pages} * page : 0;
  visit_cgroups(content_of("/proc/self/cgroup"), "/sys/fs/cgroup", [&](const fs::path& group, bool first) {
    const auto most = number_in(content_of(group / (first ? "memory.limit_in_bytes" : "memory.max")));  // or "max"
    if (most && (memory == 0 || *most < memory)) memory = *most;
  });
  return memory;
}

}  // namespace nearfar
