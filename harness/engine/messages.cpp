#include "engine/messages.h"

#include "base/error.h"
#include "base/log.h"
#include "base/stopwatch.h"
#include "base/text.h"
#include "device/out_of_memory.h"

#include <c10/util/Exception.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>

namespace nearfar {
namespace {
volatile std::sig_atomic_t stop = 0;
void on_stop(int) { stop = 1; }
}  // namespace

bool has_parent() {
  static const bool found = ::fcntl(3, F_GETFD) >= 0;
  return found;
}

void send(const wire::AnyMessage& message) {
  const int fd = has_parent() ? 3 : STDOUT_FILENO;
  const std::string line = wire::line_of(message) + "\n";
  for (std::size_t at = 0; at < line.size();) {
    const ssize_t n = ::write(fd, line.data() + at, line.size() - at);
    if (n > 0)
      at += static_cast<std::size_t>(n);
    else if (errno != EINTR)
      throw Error(ErrorKind::internal, "the parent process does not listen any more");
  }
}

void send_progress(double done, double total, std::string_view note) {
  static Stopwatch since_last;
  static bool first = true;
  if (!first && done < total && since_last.seconds() < 0.1) return;
  first = false;
  since_last.restart();
  send(wire::Progress{done, total, std::string(note)});
}

void send_alive() {
  static Stopwatch since_last;
  static bool first = true;
  if (!first && since_last.seconds() < 1) return;
  first = false;
  since_last.restart();
  send(wire::Alive{});
}

std::string memory_text() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  std::string text = fmt::format("; it held {} at most", bytes_text(std::int64_t{usage.ru_maxrss} * 1024));
  rlimit limit{};
  if (::getrlimit(RLIMIT_DATA, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY)
    text += fmt::format(", run.memory_limit is {}", bytes_text(static_cast<std::int64_t>(limit.rlim_cur)));
  return text;
}

std::string message_of(const std::exception& error) {
  const auto* torch = dynamic_cast<const c10::Error*>(&error);
  if (torch == nullptr) return error.what();
  log_debug(torch->what());
  return torch->what_without_backtrace();
}

std::string out_of_memory_text(const std::exception& error) {
  return message_of(error) + "; a device with more memory, a smaller train.batch_size, or --device cpu may help";
}

void send_failed(const std::string& cell, const std::exception_ptr& why) {
  bool host_is_full = false;
  wire::Failed failed{.cell = cell, .state = "failed", .kind = "internal", .message = {}};
  try {
    std::rethrow_exception(why);
  } catch (const DeviceOutOfMemory& error) {
    failed.state = "oom";
    failed.kind = kind_name(error.kind());
    failed.message = error.what();
  } catch (const HostOutOfMemory& error) {
    host_is_full = true;
    failed.state = "oom";
    failed.kind = kind_name(error.kind());
    failed.message = error.what() + memory_text();
  } catch (const Error& error) {
    failed.kind = kind_name(error.kind());
    failed.message = error.what();
  } catch (const c10::OutOfMemoryError& error) {
    failed.state = "oom";
    failed.message = out_of_memory_text(error);
  } catch (const std::exception& error) {
    failed.message = message_of(error);
    if (is_host_out_of_memory(error)) {
      host_is_full = true;
      failed.state = "oom";
      failed.message += memory_text();
    }
  }
  send(failed);
  if (!host_is_full) return;
  log_error(failed.message + "; the other cells go on in another process");
  std::_Exit(exit_code(ErrorKind::plugin));
}

bool stop_requested() { return stop != 0; }

void watch_for_stop() {
  struct sigaction action {};
  action.sa_handler = on_stop;
  for (const int number : {SIGTERM, SIGINT, SIGUSR2}) ::sigaction(number, &action, nullptr);
}

}  // namespace nearfar
