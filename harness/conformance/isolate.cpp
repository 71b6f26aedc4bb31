#include "conformance/isolate.h"

#include "base/error.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iostream>

namespace nearfar {
namespace {

constexpr std::size_t kOutputKept = 2000;
constexpr rlim_t kMostPrinted = 64 << 20;

[[noreturn]] void refuse(const char* call) {
  throw Error(ErrorKind::internal, fmt::format("a check cannot have a process: {}: {}", call, std::strerror(errno)));
}

Descriptor memory_file(const char* name) {
  Descriptor file(::memfd_create(name, MFD_CLOEXEC));
  if (!file) refuse("memfd_create");
  return file;
}

/// At most the last `most` bytes of a file that its writer has left open.
std::string tail_of(int file, std::size_t most) {
  const off_t size = ::lseek(file, 0, SEEK_END);
  const auto begin = std::max<off_t>(0, size - static_cast<off_t>(most));
  std::string text(static_cast<std::size_t>(std::max<off_t>(0, size - begin)), '\0');
  const ssize_t read = ::pread(file, text.data(), text.size(), begin);
  text.resize(static_cast<std::size_t>(std::max<ssize_t>(0, read)));
  return text;
}

void write_all(int file, const std::string& text) {
  for (std::size_t at = 0; at < text.size();) {
    const ssize_t written = ::write(file, text.data() + at, text.size() - at);
    if (written <= 0) return;  // then there is no report, which is told
    at += static_cast<std::size_t>(written);
  }
}

void limit(int resource, rlim_t value) {
  const rlimit both{value, value};
  ::setrlimit(static_cast<__rlimit_resource_t>(resource), &both);
}

/// The child's side, before the function: signals as in any program, output into our file, and nothing of the engine's.
void settle(int output, const IsolateLimits& limits) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  ::setpgid(0, 0);
  for (const int number : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTERM, SIGINT, SIGUSR2, SIGPIPE})
    ::signal(number, SIG_DFL);
  ::dup2(output, STDOUT_FILENO);
  ::dup2(output, STDERR_FILENO);
  const Descriptor nothing(::open("/dev/null", O_RDWR | O_CLOEXEC));
  ::dup2(nothing.get(), STDIN_FILENO);
  if (::fcntl(3, F_GETFD) >= 0 && nothing.get() != 3) ::dup2(nothing.get(), 3);  // the engine's messages
  limit(RLIMIT_CORE, 0);
  limit(RLIMIT_FSIZE, kMostPrinted);
  limit(RLIMIT_DATA, static_cast<rlim_t>(limits.bytes));
}

[[noreturn]] void run_child(const std::function<std::string()>& body, int report, int output,
                            const IsolateLimits& limits, bool exits) {
  settle(output, limits);
  write_all(report, body());
  if (exits) std::exit(0);
  std::cout.flush();
  std::fflush(nullptr);
  std::_Exit(0);
}

std::int64_t resident_bytes(pid_t pid) {
  std::int64_t size = 0, pages = 0;
  std::ifstream(fmt::format("/proc/{}/statm", pid)) >> size >> pages;
  return pages * ::sysconf(_SC_PAGESIZE);
}

}  // namespace

Isolate::Isolate(const std::function<std::string()>& body, IsolateLimits limits, bool exits)
    : limits_(limits), report_(memory_file("report")), output_(memory_file("output")) {
  std::cout.flush();
  std::fflush(nullptr);  // else the child prints it again
  pid_ = ::fork();
  if (pid_ < 0) refuse("fork");
  if (pid_ == 0) {
    // Nothing may leave this scope: the parent's code below it is not the child's.
    try {
      run_child(body, report_.get(), output_.get(), limits, exits);
    } catch (...) {
      std::_Exit(3);
    }
  }
  // By number: glibc 2.36 declares it for C alone.
  process_ = Descriptor(static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0)));
  if (!process_) refuse("pidfd_open");
}

Isolate::~Isolate() {
  if (pid_ <= 0 || reaped_) return;
  ::kill(pid_, SIGKILL);
  end();
}

bool Isolate::ended() {
  pollfd process{process_.get(), POLLIN, 0};
  if (::poll(&process, 1, 0) > 0) return true;
  const bool late = since_.seconds() > limits_.seconds, large = resident_bytes(pid_) > limits_.bytes;
  if (late || large) {
    end_.late = end_.late || late;
    end_.large = end_.large || (large && !late);
    ::kill(-pid_, SIGKILL);
    ::kill(pid_, SIGKILL);  // it may have left its group
  }
  return false;
}

IsolateEnd Isolate::end() {
  if (reaped_) return end_;
  int status = 0;
  while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  reaped_ = true;
  ::kill(-pid_, SIGKILL);  // what it has left behind
  end_.seconds = since_.seconds();
  end_.code = WIFEXITED(status) ? WEXITSTATUS(status) : 0;
  end_.signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
  end_.report = tail_of(report_.get(), 1 << 20);
  end_.output = tail_of(output_.get(), kOutputKept);
  return end_;
}

}  // namespace nearfar
