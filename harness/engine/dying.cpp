#include "engine/dying.h"

#include "device/out_of_memory.h"
#include "engine/messages.h"

#include <fmt/format.h>
#include <ucontext.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <string>

namespace nearfar {
namespace {

// Made beforehand: a handler of SIGSEGV may not allocate.
std::string overflow_line, read_only_line;
alignas(16) std::array<char, 65536> handler_stack;

[[noreturn]] void on_terminate() {
  static std::atomic_flag told = ATOMIC_FLAG_INIT;
  if (told.test_and_set()) std::abort();  // telling it failed, too
  wire::Dying dying{.state = "crashed", .message = "std::terminate was called"};
  if (const std::exception_ptr current = std::current_exception()) {
    try {
      std::rethrow_exception(current);
    } catch (const std::exception& error) {
      dying.message = "an exception that nothing caught: " + message_of(error);
      if (is_host_out_of_memory(error)) {
        dying.state = "oom";
        dying.message += memory_text();
      }
    } catch (...) {
      dying.message = "an exception that nothing caught, and that is not a std::exception";
    }
  }
  try {
    send(dying);
  } catch (const std::exception&) {  // nobody listens
  }
  std::abort();
}

std::uintptr_t stack_pointer(const void* context) {
  [[maybe_unused]] const auto& machine = static_cast<const ucontext_t*>(context)->uc_mcontext;
#if defined(__x86_64__)
  return static_cast<std::uintptr_t>(machine.gregs[REG_RSP]);
#elif defined(__aarch64__)
  return machine.sp;
#else
  return 0;
#endif
}

/// A wild pointer hits memory that is not there; near the stack pointer there is always memory, unless the stack has
/// come to its end.
void on_segmentation_fault(int number, siginfo_t* info, void* context) {
  constexpr std::uintptr_t kNear = 1 << 16;
  const auto address = reinterpret_cast<std::uintptr_t>(info->si_addr), stack = stack_pointer(context);
  const std::string* line = nullptr;
  const bool is_fault = info->si_code > 0;  // else somebody sent it, and there is no address
  if (is_fault && stack != 0 && address - stack + kNear < 2 * kNear) {
    line = &overflow_line;
  } else if (is_fault && info->si_code == SEGV_ACCERR) {  // there is memory: features are mapped from their files
    line = &read_only_line;
  }
  if (line != nullptr) {
    [[maybe_unused]] const ssize_t written = ::write(3, line->data(), line->size());
  }
  std::signal(number, SIG_DFL);
  std::raise(number);  // held back until we return, then it ends the process, also where somebody sent the signal
}

}  // namespace

void tell_when_dying() {
  std::set_terminate(on_terminate);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)  // these have handlers of their own
  overflow_line = wire::line_of(wire::Dying{"crashed", "the stack overflowed"}) + "\n";
  read_only_line =
      wire::line_of(wire::Dying{
          "crashed", "memory was written that may only be read: a plugin must not change what it is given"}) +
      "\n";
  const stack_t stack{.ss_sp = handler_stack.data(), .ss_flags = 0, .ss_size = handler_stack.size()};
  struct sigaction action {};
  action.sa_sigaction = on_segmentation_fault;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK;
  if (::sigaltstack(&stack, nullptr) == 0) ::sigaction(SIGSEGV, &action, nullptr);
#endif
}

}  // namespace nearfar
