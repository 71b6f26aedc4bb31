#include "fake_device/counters.h"

#include <atomic>
#include <mutex>

namespace nearfar::fake {
namespace {

// Never destroyed: LibTorch frees tensors, and the report is written, after our statics would be gone.
struct State {
  std::mutex lock;
  Counts counts;
};
State& state() {
  static auto* all = new State;
  return *all;
}
std::atomic<int> forbidden{0};

}  // namespace

Counts counts() {
  const std::lock_guard lock(state().lock);
  return state().counts;
}

void reset_counts() {
  const std::lock_guard lock(state().lock);
  state().counts = {};
}

void count_to_device(std::int64_t bytes) {
  const std::lock_guard lock(state().lock);
  ++state().counts.to_device;
  state().counts.to_device_bytes += bytes;
}

void count_to_host(std::int64_t bytes) {
  const std::lock_guard lock(state().lock);
  ++state().counts.to_host;
  state().counts.to_host_bytes += bytes;
}

void count_kernel(const std::string& name) {
  const std::lock_guard lock(state().lock);
  ++state().counts.kernels_of[name];
}

void count_wait(const std::string& what) {
  const std::lock_guard lock(state().lock);
  ++state().counts.waits;
  ++state().counts.waits_of[what];
}

bool waits_forbidden() { return forbidden > 0; }

ForbidSyncs::ForbidSyncs() { ++forbidden; }
ForbidSyncs::~ForbidSyncs() { --forbidden; }

}  // namespace nearfar::fake
