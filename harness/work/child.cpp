#include "work/child.h"

#include "base/descriptor.h"
#include "base/error.h"
#include "base/locations.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>

namespace nearfar {
namespace {
constexpr int kMessageFd = 3;

[[noreturn]] void fail(std::string_view what) {
  throw Error(ErrorKind::internal, fmt::format("child process: {} failed: {}", what, std::strerror(errno)));
}

/// dup2 onto descriptor 3 in the child must not hit the job or the log: both are moved well above it.
Descriptor high_copy(const Descriptor& of) {
  Descriptor copy(::fcntl(of.get(), F_DUPFD_CLOEXEC, 10));
  if (copy.get() < 0) fail("F_DUPFD_CLOEXEC");
  return copy;
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
        !text.starts_with("MKL_NUM_THREADS=") && (visible.empty() || !text.starts_with("CUDA_VISIBLE_DEVICES=")))
      variables.emplace_back(text);
  }
  variables.push_back(fmt::format("OMP_NUM_THREADS={}", threads));
  if (!visible.empty()) variables.push_back("CUDA_VISIBLE_DEVICES=" + visible);
  variables.push_back(fmt::format("MKL_NUM_THREADS={}", threads));
  variables.emplace_back("OMP_WAIT_POLICY=passive");  // spinning threads of several children would starve each other
  return variables;
}

/// In the child, between fork and exec: only async-signal-safe calls.
[[noreturn]] void become_engine(const char* program, char* const* arguments, char* const* variables, int job,
                                int messages, int log, pid_t parent) {
  ::setpgid(0, 0);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(127);  // the parent died before prctl
  const rlimit no_core{0, 0};
  ::setrlimit(RLIMIT_CORE, &no_core);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  // The pipe may itself have been opened as descriptor 3, and dup2 onto itself keeps CLOEXEC.
  if (messages == kMessageFd)
    ::fcntl(messages, F_SETFD, 0);
  else if (::dup2(messages, kMessageFd) < 0)
    ::_exit(127);
  if (::dup2(job, STDIN_FILENO) < 0) ::_exit(127);
  if (::dup2(log >= 0 ? log : STDERR_FILENO, STDOUT_FILENO) < 0) ::_exit(127);  // stdout is for our own data
  if (log >= 0 && ::dup2(log, STDERR_FILENO) < 0) ::_exit(127);
  ::execve(program, arguments, variables);
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
  int pipe_fds[2];
  if (::pipe2(pipe_fds, O_CLOEXEC) != 0) fail("pipe");
  Descriptor messages(pipe_fds[0]);
  const Descriptor theirs(pipe_fds[1]);
  const pid_t parent = ::getpid();
  pid_ = ::fork();
  if (pid_ == 0) become_engine(argv[0], argv.data(), envp.data(), job_high.get(), theirs.get(), log_high.get(), parent);
  if (pid_ < 0) fail("fork");
  ::setpgid(pid_, pid_);  // both sides, whichever comes first; fails harmlessly after exec
  fd_ = messages.release();
  ::fcntl(fd_, F_SETFL, O_NONBLOCK);
}

Child::~Child() {
  if (!exit_) {
    signal(SIGKILL);
    wait();
  }
  if (fd_ >= 0) ::close(fd_);
}

std::vector<std::string> Child::read_lines() {
  char block[65536];
  while (!ended_) {
    const ssize_t n = ::read(fd_, block, sizeof block);
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
  if (pid_ > 0 && !exit_) ::kill(-pid_, number);
}

ProcessExit Child::wait() {
  if (exit_) return *exit_;
  int status = 0;
  while (::waitpid(pid_, &status, 0) < 0) {
    if (errno != EINTR) fail("waitpid");
  }
  exit_ = WIFSIGNALED(status) ? ProcessExit{0, WTERMSIG(status)} : ProcessExit{WEXITSTATUS(status), 0};
  return *exit_;
}

}  // namespace nearfar
