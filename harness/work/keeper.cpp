#include "work/keeper.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <ctime>
#include <string_view>

namespace nearfar {
namespace {

constexpr int kWatchMilliseconds = 100;  // a fork bomb of engines makes some hundred processes in that time
constexpr int kMostEndMilliseconds = 5000;
constexpr std::size_t kMostKnown = 4096;  // processes that are looked at

/// "/proc/PID/NAME", without snprintf.
class ProcPath {
 public:
  explicit ProcPath(pid_t process) { add("/proc/").add(process); }
  ProcPath& add(std::string_view text) {
    for (const char c : text) {
      if (size_ + 1 < sizeof text_) text_[size_++] = c;
    }
    text_[size_] = '\0';
    return *this;
  }
  ProcPath& add(pid_t number) {
    char digits[16];
    std::size_t count = 0;
    for (auto rest = static_cast<unsigned>(number); rest > 0 || count == 0; rest /= 10)
      digits[count++] = static_cast<char>('0' + rest % 10);
    while (count > 0) add(std::string_view(&digits[--count], 1));
    return *this;
  }
  const char* text() const { return text_; }

 private:
  char text_[96] = {};
  std::size_t size_ = 0;
};

/// The beginning of a small file. What is cut off ends within a number or a line, which the readers forgo.
std::string_view read_into(char* block, std::size_t size, const char* file) {
  const int fd = ::open(file, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return {};
  std::size_t at = 0;
  while (at < size) {
    const ssize_t n = ::read(fd, block + at, size - at);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    at += static_cast<std::size_t>(n);
  }
  ::close(fd);
  return {block, at};
}

std::int64_t number_at(std::string_view text, std::size_t& at) {
  std::int64_t number = 0;
  for (; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at) number = number * 10 + (text[at] - '0');
  return number;
}

/// "Name:   123 kB" of /proc/PID/status, in bytes; 0 = there is none.
std::int64_t status_bytes(std::string_view status, std::string_view name) {
  std::size_t at = status.find(name);
  if (at == std::string_view::npos) return 0;
  at = status.find_first_of("0123456789", at);
  return at == std::string_view::npos ? 0 : number_at(status, at) * 1024;
}

/// Memory that would be free without this process: not the files it has mapped.
std::int64_t memory_of(pid_t process) {
  char block[4096];
  const std::string_view status = read_into(block, sizeof block, ProcPath(process).add("/status").text());
  return status_bytes(status, "RssAnon:") + status_bytes(status, "RssShmem:") + status_bytes(status, "VmSwap:");
}

/// Processes: the keeper's children and theirs, down to the last.
class Tree {
 public:
  /// All of them, or some more than `most`: of a fork bomb there are more by every moment that one looks.
  void look(std::size_t most) {
    count_ = 0;
    add_children(::getpid());
    for (std::size_t i = 0; i < count_ && count_ <= most; ++i) add_children(found_[i]);
  }
  /// The children alone.
  void look_at_children() {
    count_ = 0;
    add_children(::getpid());
  }
  std::size_t size() const { return count_; }
  pid_t operator[](std::size_t i) const { return found_[i]; }

 private:
  struct Entry {  // of getdents64(2): readdir() allocates
    std::uint64_t inode;
    std::int64_t offset;
    unsigned short length;
    unsigned char type;
    char name[1];
  };

  void add_children(pid_t process) {
    const int fd = ::open(ProcPath(process).add("/task").text(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return;
    alignas(Entry) char block[4096];
    for (long n = 0; (n = ::syscall(SYS_getdents64, fd, block, sizeof block)) > 0;) {
      for (long at = 0; at < n;) {
        const auto* entry = reinterpret_cast<const Entry*>(block + at);
        if (entry->name[0] >= '0' && entry->name[0] <= '9') add_of_thread(process, entry->name);
        at += entry->length;
      }
    }
    ::close(fd);
  }

  void add_of_thread(pid_t process, const char* thread) {
    char block[8192];
    const std::string_view text =
        read_into(block, sizeof block, ProcPath(process).add("/task/").add(thread).add("/children").text());
    for (std::size_t at = 0; at < text.size() && count_ < kMostKnown; ++at) {
      const auto child = static_cast<pid_t>(number_at(text, at));
      if (child > 0 && at < text.size()) found_[count_++] = child;  // each is followed by a blank
    }
  }

  pid_t found_[kMostKnown];
  std::size_t count_ = 0;
};

class Keeper {
 public:
  explicit Keeper(const KeeperOrders& orders) : orders_(orders) {}

  [[noreturn]] void run() {
    ::setpgid(0, 0);
    ::prctl(PR_SET_NAME, "nearfar-keeper");
    ::prctl(PR_SET_CHILD_SUBREAPER, 1);  // whoever leaves the engine's group and its session becomes our child
    sigset_t all;
    ::sigfillset(&all);
    ::sigprocmask(SIG_SETMASK, &all, nullptr);  // a Ctrl-C is our parent's to handle
    start_engine();
    go_first();
    keep_only_socket();
    sigset_t of_children;
    ::sigemptyset(&of_children);
    ::sigaddset(&of_children, SIGCHLD);
    const int ends = ::signalfd(-1, &of_children, SFD_NONBLOCK | SFD_CLOEXEC);
    while (!engine_ended()) {
      pollfd waiting[] = {{orders_.socket, POLLIN, 0}, {ends, POLLIN, 0}};
      ::poll(waiting, ends >= 0 ? 2 : 1, kWatchMilliseconds);
      signalfd_siginfo end;
      while (ends >= 0 && ::read(ends, &end, sizeof end) > 0) {
      }
      if (waiting[0].revents != 0) obey();
      watch();
    }
    finish();
  }

 private:
  void start_engine() {
    engine_ = ::fork();
    if (engine_ == 0) {
      ::setpgid(0, 0);
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // should somebody kill the keeper
      if (::getppid() != self_) ::_exit(127);
      orders_.start(orders_.argument);
      ::_exit(127);
    }
    const KeeperHello hello{engine_, engine_ < 0 ? errno : 0};
    ::send(orders_.socket, &hello, sizeof hello, MSG_NOSIGNAL);
    if (engine_ < 0) ::_exit(1);
    ::setpgid(engine_, engine_);  // both sides, whichever comes first
  }

  /// Where that is allowed: among thousands of processes that want the processor our turn would come after seconds.
  static void go_first() {
    const sched_param least{.sched_priority = ::sched_get_priority_min(SCHED_RR)};
    if (::sched_setscheduler(0, SCHED_RR, &least) != 0) ::setpriority(PRIO_PROCESS, 0, -20);
  }

  /// Everything else that is open here is our parent's: its pipes would not end, and its files not close, before us.
  void keep_only_socket() {
    const int null = ::open("/dev/null", O_RDWR);
    for (int fd = 0; fd < 3 && null >= 0; ++fd) ::dup2(null, fd);
    const auto close_between = [](unsigned first, unsigned last) {
      if (first > last || ::syscall(SYS_close_range, first, last, 0) == 0) return;
      rlimit most{};
      ::getrlimit(RLIMIT_NOFILE, &most);
      const unsigned end = static_cast<unsigned>(std::min<rlim_t>(most.rlim_cur, 65536));
      for (unsigned fd = first; fd <= last && fd < end; ++fd) ::close(static_cast<int>(fd));
    };
    const auto socket = static_cast<unsigned>(orders_.socket);
    close_between(3, socket - 1);
    close_between(std::max(3u, socket + 1), ~0u);
  }

  /// Left as a zombie, so that its number stays its own. Others that have ended are waited for.
  bool engine_ended() {
    for (;;) {
      siginfo_t ended{};
      if (::waitid(P_ALL, 0, &ended, WEXITED | WNOHANG | WNOWAIT) != 0) return errno != EINTR;
      if (ended.si_pid == 0) return false;
      if (ended.si_pid == engine_) return true;
      ::waitpid(ended.si_pid, nullptr, WNOHANG);
    }
  }

  void obey() {
    char number = 0;
    const ssize_t n = ::recv(orders_.socket, &number, 1, MSG_DONTWAIT);
    if (n == 1) {
      ::kill(-engine_, number);
    } else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {  // our parent is gone
      ::kill(-engine_, SIGKILL);
      end_all();
      ::_exit(0);
    }
  }

  void watch() {
    if (killed_for_ != KilledFor::nothing) return;
    const std::size_t most = static_cast<std::size_t>(orders_.processes) + 1;  // with the engine
    tree_.look(most);
    if (tree_.size() > most) return kill_for(KilledFor::processes);
    if (orders_.memory_bytes == 0) return;
    std::int64_t used = 0;
    for (std::size_t i = 0; i < tree_.size(); ++i) used += memory_of(tree_[i]);
    peak_ = std::max(peak_, used);
    if (used > orders_.memory_bytes) kill_for(KilledFor::memory);
  }

  void kill_for(KilledFor what) {
    killed_for_ = what;
    ::kill(-engine_, SIGKILL);
  }

  [[noreturn]] void finish() {
    ::kill(-engine_, SIGKILL);  // what it has left behind in its group
    KeeperReport report{.killed_for = killed_for_};
    rusage usage{};
    while (::wait4(engine_, &report.status, 0, &usage) < 0 && errno == EINTR) {
    }
    report.peak_bytes = std::max<std::int64_t>(peak_, std::int64_t{usage.ru_maxrss} * 1024);
    end_all();
    ::send(orders_.socket, &report, sizeof report, MSG_NOSIGNAL);
    ::_exit(0);
  }

  /// Whoever is left; children of those become ours as they die.
  void end_all() {
    for (int waited = 0; waited < kMostEndMilliseconds; ++waited) {
      tree_.look_at_children();
      for (std::size_t i = 0; i < tree_.size(); ++i) ::kill(tree_[i], SIGKILL);
      pid_t ended = 0;
      while ((ended = ::waitpid(-1, nullptr, WNOHANG)) > 0) {
      }
      if (ended < 0 && errno == ECHILD) return;
      const timespec moment{0, 1'000'000};
      ::nanosleep(&moment, nullptr);
    }
  }

  KeeperOrders orders_;
  pid_t self_ = ::getpid();
  pid_t engine_ = -1;
  KilledFor killed_for_ = KilledFor::nothing;
  std::int64_t peak_ = 0;
  Tree tree_;
};

}  // namespace

void keep(const KeeperOrders& orders) { Keeper(orders).run(); }

}  // namespace nearfar
