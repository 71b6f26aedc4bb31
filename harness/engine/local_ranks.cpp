#include "engine/local_ranks.h"

#include "base/error.h"
#include "device/device.h"
#include "engine/messages.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>

namespace nearfar {
namespace {

using namespace std::chrono_literals;

constexpr const char* kStartedByRank0 = "NEARFAR_LOCAL_RANK";
constexpr auto kGrace = 5s;

/// A descriptor from which the text can be read.
int readable(const std::string& text) {
  const int fd = ::memfd_create("job", 0);
  if (fd < 0 || ::write(fd, text.data(), text.size()) != static_cast<ssize_t>(text.size()) ||
      ::lseek(fd, 0, SEEK_SET) != 0) {
    throw Error(ErrorKind::internal, fmt::format("a job cannot be handed on: {}", std::strerror(errno)));
  }
  return fd;
}

std::vector<std::string> environment_with(const std::vector<std::pair<std::string, std::string>>& more) {
  std::vector<std::string> all;
  for (char** entry = environ; *entry != nullptr; ++entry) all.emplace_back(*entry);
  for (const auto& [name, value] : more) {
    std::erase_if(all, [&](const std::string& one) { return one.starts_with(name + "="); });
    all.push_back(name + "=" + value);
  }
  return all;
}

/// A copy of this program that trains as `rank`: its messages go nowhere, its log is ours.
pid_t start(const wire::TrainJob& job, int rank, int size, std::uint16_t port) {
  const int job_fd = readable(wire::dump(wire::to_json(job)));
  std::vector<std::string> environment = environment_with({{"RANK", std::to_string(rank)},
                                                           {"LOCAL_RANK", std::to_string(rank)},
                                                           {"WORLD_SIZE", std::to_string(size)},
                                                           {"MASTER_ADDR", "127.0.0.1"},
                                                           {"MASTER_PORT", std::to_string(port)},
                                                           {kStartedByRank0, std::to_string(rank)}});
  std::vector<char*> pointers;
  for (std::string& entry : environment) pointers.push_back(entry.data());
  pointers.push_back(nullptr);
  std::string program = "nearfar-engine", verb = "train";
  char* arguments[] = {program.data(), verb.data(), nullptr};
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, job_fd, STDIN_FILENO);
  ::posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  ::posix_spawn_file_actions_addopen(&actions, 3, "/dev/null", O_WRONLY, 0);
  pid_t process = 0;
  const int failure = ::posix_spawn(&process, "/proc/self/exe", &actions, nullptr, arguments, pointers.data());
  ::posix_spawn_file_actions_destroy(&actions);
  ::close(job_fd);
  if (failure != 0)
    throw Error(ErrorKind::internal, fmt::format("rank {} cannot be started: {}", rank, std::strerror(failure)));
  return process;
}

std::string ending_text(std::size_t rank, int status) {
  if (WIFSIGNALED(status)) return fmt::format("rank {} was killed by signal {}", rank, WTERMSIG(status));
  return fmt::format("rank {} ended with exit code {} (its words are in the log)", rank, WEXITSTATUS(status));
}

bool ended_well(int status) {
  return WIFEXITED(status) && (WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == exit_code(ErrorKind::interrupted));
}

}  // namespace

LocalRanks::LocalRanks(const wire::TrainJob& job, int size, std::uint16_t port) {
  try {
    for (int rank = 1; rank < size; ++rank) processes_.push_back(start(job, rank, size, port));
  } catch (...) {
    for (const pid_t process : processes_) {
      ::kill(process, SIGKILL);
      ::waitpid(process, nullptr, 0);
    }
    throw;
  }
  watcher_ = std::thread([this] { watch(); });
}

LocalRanks::~LocalRanks() {
  over_ = true;
  if (ended_ < processes_.size()) {
    for (const pid_t process : processes_) ::kill(process, SIGKILL);  // not waited for yet: the number is theirs
  }
  watcher_.join();
}

/// Polls, so that no process is waited for twice.
void LocalRanks::watch() {
  std::vector<bool> gone(processes_.size());
  std::chrono::steady_clock::time_point died;
  while (ended_ < processes_.size()) {
    for (std::size_t i = 0; i < processes_.size(); ++i) {
      int status = 0;
      if (gone[i] || ::waitpid(processes_[i], &status, WNOHANG) != processes_[i]) continue;
      gone[i] = true;
      const std::lock_guard lock(mutex_);
      ++ended_;
      if (ended_well(status) || !dead_.empty()) continue;
      dead_ = ending_text(i + 1, status);
      died = std::chrono::steady_clock::now();
    }
    const std::string dead = dead_text();
    if (!dead.empty() && !over_ && std::chrono::steady_clock::now() - died > kGrace) {
      for (std::size_t i = 0; i < processes_.size(); ++i) {
        if (!gone[i]) ::kill(processes_[i], SIGKILL);
      }
      send(wire::JobError{std::string(kind_name(ErrorKind::plugin)), "failed", dead});
      std::_Exit(exit_code(ErrorKind::plugin));
    }
    std::this_thread::sleep_for(50ms);
  }
}

std::string LocalRanks::dead_text() {
  const std::lock_guard lock(mutex_);
  return dead_;
}

std::string LocalRanks::casualty() {
  over_ = true;
  for (int i = 0; i < 20 && dead_text().empty() && ended_ < processes_.size(); ++i) std::this_thread::sleep_for(50ms);
  return dead_text();
}

void LocalRanks::finish() {
  while (ended_ < processes_.size() && dead_text().empty()) std::this_thread::sleep_for(10ms);
  over_ = true;
  if (const std::string dead = dead_text(); !dead.empty()) throw Error(ErrorKind::plugin, dead);
}

namespace {

/// Of the environment, where the job says so or rank 0 has started this process.
std::optional<RankPlace> place_of(const wire::TrainJob& job) {
  if (std::getenv(kStartedByRank0) == nullptr && job.ranks != 0) return std::nullopt;
  std::optional<RankPlace> place = rank_of_environment();
  if (!place) {
    throw Error(ErrorKind::config,
                "the job says that the processes come from torchrun or srun, and neither RANK nor SLURM_PROCID is set");
  }
  return place;
}

}  // namespace

Companions find_companions(const wire::TrainJob& job) {
  Companions found;
  if (const std::optional<RankPlace> place = place_of(job)) {
    if (std::getenv(kStartedByRank0) != nullptr) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      if (::getppid() == 1) throw Error(ErrorKind::interrupted, "rank 0 is gone");
    }
    if (place->size > 1) found.group = std::make_unique<RankGroup>(*place);
  } else if (job.ranks > 1) {
    const int size = static_cast<int>(job.ranks);
    found.group = std::make_unique<RankGroup>(RankPlace{.rank = 0, .size = size});
    found.local = std::make_unique<LocalRanks>(job, size, found.group->port());
  }
  if (found.group) found.group->join();
  return found;
}

wire::Compute compute_of_rank(const wire::TrainJob& job) {
  wire::Compute compute = job.compute;
  const int devices = compute.device == "cuda" ? probe_devices().devices : 0;
  const std::optional<RankPlace> place = devices > 1 ? place_of(job) : std::nullopt;
  if (place) compute.device = fmt::format("cuda:{}", place->local % devices);
  return compute;
}

}  // namespace nearfar
