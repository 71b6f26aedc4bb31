#include "base/signals.h"

#include "base/error.h"

#include <array>
#include <atomic>
#include <csignal>
#include <cstddef>

namespace nearfar {
namespace {

constexpr std::array<int, 3> kSignals{SIGINT, SIGTERM, SIGUSR2};

// What the handler touches; a lock in it could wait for the very thread that it interrupted.
std::atomic<int> stops{0};
std::atomic<bool> second_ends{false};
static_assert(std::atomic<int>::is_always_lock_free && std::atomic<bool>::is_always_lock_free);

std::atomic<bool> alive{false};
std::array<struct sigaction, kSignals.size()> before;

void on_stop(int number) {
  if (stops.fetch_add(1) == 0 || !second_ends) return;
  std::signal(number, SIG_DFL);
  std::raise(number);  // held back until we return, then it ends the process
}

}  // namespace

StopSignals::StopSignals(Second second) {
  NEARFAR_ASSERT(!alive.exchange(true));
  stops = 0;
  second_ends = second == Second::ends_process;
  struct sigaction action {};
  action.sa_handler = on_stop;
  for (std::size_t i = 0; i < kSignals.size(); ++i) ::sigaction(kSignals[i], &action, &before[i]);
}

StopSignals::~StopSignals() {
  for (std::size_t i = 0; i < kSignals.size(); ++i) ::sigaction(kSignals[i], &before[i], nullptr);
  alive = false;
}

int StopSignals::count() const { return stops; }

}  // namespace nearfar
