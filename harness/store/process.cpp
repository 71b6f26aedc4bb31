#include "store/process.h"

#include "base/text.h"
#include "store/store.h"

#include <fmt/core.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <csignal>
#include <fstream>
#include <iterator>
#include <optional>

namespace nearfar {
namespace {

std::string host_name() {
  std::array<char, 256> name{};
  if (gethostname(name.data(), name.size() - 1) != 0) return "localhost";
  return name.data();
}

struct ProcessState {
  char state = '?';
  std::string start_ticks;
};

/// From /proc/PID/stat, see proc(5): "pid (command) state ppid …"; the command may hold blanks and brackets; field 22
/// is the start time.
std::optional<ProcessState> process_state(long pid) {
  std::ifstream stream(fmt::format("/proc/{}/stat", pid));
  const std::string text((std::istreambuf_iterator<char>(stream)), std::istreambuf_iterator<char>());
  const std::size_t bracket = text.rfind(')');
  if (bracket == std::string::npos || bracket + 2 >= text.size()) return std::nullopt;
  const std::vector<std::string> fields =
      split(std::string_view(text).substr(bracket + 2), ' ');  // fields[0] is field 3
  if (fields.size() < 20 || fields[0].empty()) return std::nullopt;
  return ProcessState{fields[0][0], fields[19]};
}

}  // namespace

std::string owner_of_this_process() {
  const std::optional<ProcessState> self = process_state(getpid());
  return self ? fmt::format("{}:{}:{}", host_name(), getpid(), self->start_ticks)
              : fmt::format("{}:{}", host_name(), getpid());
}

bool is_dead_local_owner(std::string_view owner) {
  const std::vector<std::string> parts = split(owner, ':');
  if (parts.size() < 2 || parts.size() > 3 || parts[0] != host_name()) return false;
  long pid = 0;
  const auto [end, error] = std::from_chars(parts[1].data(), parts[1].data() + parts[1].size(), pid);
  if (error != std::errc{} || end != parts[1].data() + parts[1].size() || pid <= 0) return false;
  if (kill(static_cast<pid_t>(pid), 0) != 0 && errno == ESRCH) return true;
  const std::optional<ProcessState> process = process_state(pid);
  if (!process) return false;  // alive, but /proc does not tell more
  return process->state == 'Z' || process->state == 'X' || (parts.size() == 3 && process->start_ticks != parts[2]);
}

}  // namespace nearfar
