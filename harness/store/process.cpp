#include "store/process.h"

#include "base/hash.h"
#include "base/text.h"

#include <fmt/core.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>

namespace nearfar {
namespace {

std::string content_of(const std::string& file) {
  std::ifstream stream(file);
  return {std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
}

/// Where a process lives; empty fields are what the system does not tell.
struct Home {
  std::string host, machine, boot, pid_namespace;
};

Home home_of_this_process() {
  Home home{.host = host_name(), .machine = "", .boot = "", .pid_namespace = ""};
  // machine-id(5) asks not to show the id itself.
  const std::string machine = content_of("/etc/machine-id");
  if (!trim(machine).empty()) home.machine = sha256("nearfar" + std::string(trim(machine))).substr(0, 12);
  home.boot = trim(content_of("/proc/sys/kernel/random/boot_id"));
  std::error_code error;
  const std::string link = std::filesystem::read_symlink("/proc/self/ns/pid", error).string();  // "pid:[4026531836]"
  const std::size_t open = link.find('['), close = link.find(']');
  if (open != std::string::npos && close != std::string::npos)
    home.pid_namespace = link.substr(open + 1, close - open - 1);
  return home;
}

struct ProcessState {
  char state = '?';
  std::string start_ticks;
};

/// From /proc/PID/stat, see proc(5): "pid (command) state ppid …"; the command may hold blanks and brackets; field 22
/// is the start time.
std::optional<ProcessState> process_state(long pid) {
  const std::string text = content_of(fmt::format("/proc/{}/stat", pid));
  const std::size_t bracket = text.rfind(')');
  if (bracket == std::string::npos || bracket + 2 >= text.size()) return std::nullopt;
  const std::vector<std::string> fields =
      split(std::string_view(text).substr(bracket + 2), ' ');  // fields[0] is field 3
  if (fields.size() < 20 || fields[0].empty()) return std::nullopt;
  return ProcessState{fields[0][0], fields[19]};
}

/// Of a process whose numbers mean here what they meant to it. `start` may be empty: not known.
OwnerState state_here(std::string_view pid_text, std::string_view start) {
  long pid = 0;
  const auto [end, error] = std::from_chars(pid_text.data(), pid_text.data() + pid_text.size(), pid);
  if (error != std::errc{} || end != pid_text.data() + pid_text.size() || pid <= 0) return OwnerState::unknown;
  if (kill(static_cast<pid_t>(pid), 0) != 0 && errno == ESRCH) return OwnerState::dead;
  const std::optional<ProcessState> process = process_state(pid);
  if (!process) return OwnerState::alive;  // there is one, but /proc does not tell more
  const bool ended = process->state == 'Z' || process->state == 'X';
  return ended || (!start.empty() && process->start_ticks != start) ? OwnerState::dead : OwnerState::alive;
}

}  // namespace

std::string host_name() {
  std::array<char, 256> name{};
  if (gethostname(name.data(), name.size() - 1) != 0 || name[0] == '\0') return "localhost";
  return name.data();
}

std::string owner_of_this_process() {
  const Home home = home_of_this_process();
  const std::optional<ProcessState> self = process_state(getpid());
  return fmt::format("{}:{}:{}:{}:{}:{}", home.host, home.machine, home.boot, home.pid_namespace, getpid(),
                     self ? self->start_ticks : "");
}

OwnerState owner_state(std::string_view owner) {
  const std::vector<std::string> parts = split(owner, ':');
  if (parts.size() == 2 || parts.size() == 3) {
    if (parts[0] != host_name()) return OwnerState::unknown;
    return state_here(parts[1], parts.size() == 3 ? parts[2] : "");
  }
  if (parts.size() != 6) return OwnerState::unknown;
  const Home here = home_of_this_process();
  const Home there{parts[0], parts[1], parts[2], parts[3]};
  if (there.boot.empty() || here.boot.empty()) return OwnerState::unknown;
  if (there.boot != here.boot) {
    const bool this_machine = !here.machine.empty() && there.machine == here.machine && there.host == here.host;
    return this_machine ? OwnerState::dead : OwnerState::unknown;
  }
  if (there.pid_namespace.empty() || there.pid_namespace != here.pid_namespace) return OwnerState::unknown;
  return state_here(parts[4], parts[5]);
}

}  // namespace nearfar
