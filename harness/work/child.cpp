#include "work/child.h"

#include "base/descriptor.h"
#include "base/error.h"
#include "base/libtorch.h"
#include "base/locations.h"
#include "work/keeper.h"
#include "work/oom.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>

namespace nearfar {
namespace {
constexpr int kMessageFd = 3;
constexpr int kMostEndMilliseconds = 10'000;  // of an engine that has closed its messages

[[noreturn]] void fail(std::string_view what) {
  throw Error(ErrorKind::internal, fmt::format("child process: {} failed: {}", what, std::strerror(errno)));
}

/// dup2 onto descriptor 3 in the child must not hit the job or the log: both are moved well above it.
Descriptor high_copy(const Descriptor& of) {
  Descriptor copy(::fcntl(of.get(), F_DUPFD_CLOEXEC, 10));
  if (copy.get() < 0) fail("F_DUPFD_CLOEXEC");
  return copy;
}

/// One packet of a keeper. False: it is gone.
template <class Packet>
bool receive(int socket, Packet& packet) {
  ssize_t n = 0;
  while ((n = ::recv(socket, &packet, sizeof packet, 0)) < 0 && errno == EINTR) {
  }
  return n == static_cast<ssize_t>(sizeof packet);
}

/// The job as an anonymous file: no size limit, no deadlock, nothing left on disk.
Descriptor job_file(const std::string& job) {
  Descriptor file(::memfd_create("nearfar-job", MFD_CLOEXEC));
  const int fd = file.get();
  if (fd < 0) fail("memfd_create");
  for (std::size_t at = 0; at < job.size();) {
    const ssize_t n = ::write(fd, job.data() + at, job.size() - at);
    if (n < 0 && errno != EINTR) fail("writing the job");
    if (n > 0) at += static_cast<std::size_t>(n);
  }
  if (::lseek(fd, 0, SEEK_SET) != 0) fail("lseek");
  return file;
}

std::vector<std::string> environment(int threads, const std::string& visible) {
  std::vector<std::string> variables;
  for (char** variable = environ; *variable != nullptr; ++variable) {
    const std::string_view text(*variable);
    if (!text.starts_with("OMP_NUM_THREADS=") && !text.starts_with("OMP_WAIT_POLICY=") &&
        !text.starts_with("LD_LIBRARY_PATH=") && !text.starts_with("MKL_NUM_THREADS=") &&
        (visible.empty() || !text.starts_with("CUDA_VISIBLE_DEVICES=")))
      variables.emplace_back(text);
  }
  if (const std::string path = engine_library_path(); !path.empty()) variables.push_back("LD_LIBRARY_PATH=" + path);
  variables.push_back(fmt::format("OMP_NUM_THREADS={}", threads));
  if (!visible.empty()) variables.push_back("CUDA_VISIBLE_DEVICES=" + visible);
  variables.push_back(fmt::format("MKL_NUM_THREADS={}", threads));
  variables.emplace_back("OMP_WAIT_POLICY=passive");  // spinning threads of several children would starve each other
  return variables;
}

/// What the engine's process is made of; borrowed from the constructor that forks.
struct EngineStart {
  const char* program;
  char* const* arguments;
  char* const* variables;
  int job, messages, log;
  std::int64_t memory_bytes;
  std::int64_t tasks;  ///< processes and threads of this user at a time; 0 = as it is
};

/// A second bound for fork bombs, where the keeper has no right to go first: far above what engines need, as it counts
/// what else the user has started. Of root the kernel bounds nothing.
std::int64_t most_tasks() {
  constexpr std::int64_t kMore = 4096;
  if (::geteuid() == 0) return 0;
  std::int64_t count = 0;
  std::error_code gone;  // processes end while one looks
  for (const auto& entry : std::filesystem::directory_iterator("/proc", gone)) {
    struct stat owner {};
    if (::stat(entry.path().c_str(), &owner) != 0 || owner.st_uid != ::geteuid()) continue;
    for ([[maybe_unused]] const auto& thread : std::filesystem::directory_iterator(entry.path() / "task", gone))
      ++count;
  }
  return count + kMore;
}

/// In the engine's process, between fork and exec: only async-signal-safe calls.
void become_engine(void* start) {
  const EngineStart& with = *static_cast<const EngineStart*>(start);
  const rlimit no_core{0, 0};
  ::setrlimit(RLIMIT_CORE, &no_core);
  if (with.memory_bytes > 0) {
    const rlimit memory{static_cast<rlim_t>(with.memory_bytes), static_cast<rlim_t>(with.memory_bytes)};
    ::setrlimit(RLIMIT_DATA, &memory);
  }
  if (with.tasks > 0) {
    const rlimit tasks{static_cast<rlim_t>(with.tasks), static_cast<rlim_t>(with.tasks)};
    ::setrlimit(RLIMIT_NPROC, &tasks);
  }
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  // The pipe may itself have been opened as descriptor 3, and dup2 onto itself keeps CLOEXEC.
  if (with.messages == kMessageFd)
    ::fcntl(with.messages, F_SETFD, 0);
  else if (::dup2(with.messages, kMessageFd) < 0)
    ::_exit(127);
  if (::dup2(with.job, STDIN_FILENO) < 0) ::_exit(127);
  const int output = with.log >= 0 ? with.log : STDERR_FILENO;  // stdout is for our own data
  if (::dup2(output, STDOUT_FILENO) < 0) ::_exit(127);
  if (with.log >= 0 && ::dup2(with.log, STDERR_FILENO) < 0) ::_exit(127);
  ::execve(with.program, with.arguments, with.variables);
  ::_exit(127);
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> result;
  for (std::string& text : texts) result.push_back(text.data());
  result.push_back(nullptr);
  return result;
}
}  // namespace

Child::Child(const LaunchRequest& request) {
  std::vector<std::string> arguments{engine_program().string(), request.verb},
      variables = environment(request.threads, request.visible);
  const auto argv = pointers(arguments), envp = pointers(variables);
  Descriptor log, log_high;
  if (!request.log.empty()) {
    std::filesystem::create_directories(request.log.parent_path());
    log = Descriptor(::open(request.log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644));
    if (log.get() < 0) fail("opening " + request.log.string());
    log_high = high_copy(log);
  }
  const Descriptor job = job_file(request.job), job_high = high_copy(job);
  int pipe_fds[2], sockets[2];
  if (::pipe2(pipe_fds, O_CLOEXEC) != 0) fail("pipe");
  Descriptor messages(pipe_fds[0]), theirs(pipe_fds[1]);
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) != 0) fail("socketpair");
  socket_.reset(sockets[0]);
  const Descriptor keepers(sockets[1]), keepers_high = high_copy(keepers);
  EngineStart start{argv[0],      argv.data(),    envp.data(),        job_high.get(),
                    theirs.get(), log_high.get(), request.data_bytes, most_tasks()};
  oom_kills_ = oom_kill_count();
  keeper_ = ::fork();
  if (keeper_ == 0) {
    keep({.socket = keepers_high.get(),
          .memory_bytes = request.memory_bytes,
          .processes = request.processes,
          .start = become_engine,
          .argument = &start});
  }
  if (keeper_ < 0) fail("fork");
  KeeperHello hello;
  if (!receive(socket_.get(), hello) || hello.engine < 0) {
    while (::waitpid(keeper_, nullptr, 0) < 0 && errno == EINTR) {
    }
    errno = hello.error;
    fail("fork");
  }
  engine_ = hello.engine;
  fd_ = std::move(messages);
  ::fcntl(fd_.get(), F_SETFL, O_NONBLOCK);
}

Child::~Child() {
  if (exit_) return;
  signal(SIGKILL);
  wait();
}

std::vector<std::string> Child::read_lines() {
  char block[65536];
  while (!ended_) {
    const ssize_t n = ::read(fd_.get(), block, sizeof block);
    if (n > 0)
      pending_.append(block, static_cast<std::size_t>(n));
    else if (n == 0)
      ended_ = true;
    else if (errno == EAGAIN)
      break;
    else if (errno != EINTR)
      fail("reading messages");
  }
  std::vector<std::string> lines;
  std::size_t start = 0;
  for (std::size_t end = pending_.find('\n'); end != std::string::npos;
       start = end + 1, end = pending_.find('\n', start))
    lines.push_back(pending_.substr(start, end - start));
  pending_.erase(0, start);
  return lines;
}

void Child::signal(int number) {
  const char byte = static_cast<char>(number);
  if (!exit_) ::send(socket_.get(), &byte, 1, MSG_NOSIGNAL | MSG_DONTWAIT);
}

ProcessExit Child::wait() {
  if (exit_) return *exit_;
  pollfd report_comes{socket_.get(), POLLIN, 0};
  if (::poll(&report_comes, 1, kMostEndMilliseconds) == 0) signal(SIGKILL);
  KeeperReport report;
  const bool reported = receive(socket_.get(), report);
  if (!reported) ::kill(-engine_, SIGKILL);  // the keeper was killed, and its engine with it; not what that had started
  while (::waitpid(keeper_, nullptr, 0) < 0) {
    if (errno != EINTR) fail("waitpid");
  }
  const int status = reported ? report.status : SIGKILL;
  exit_ = ProcessExit{.code = WIFSIGNALED(status) ? 0 : WEXITSTATUS(status),
                      .signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0,
                      .killed_for = report.killed_for,
                      .peak_bytes = report.peak_bytes,
                      .oom_killed = oom_kill_count() > oom_kills_};
  return *exit_;
}

}  // namespace nearfar
