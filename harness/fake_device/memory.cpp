#include "fake_device/memory.h"

#include <c10/core/impl/alloc_cpu.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <mutex>

namespace nearfar::fake {
namespace {

constexpr std::uintptr_t kMark = std::uintptr_t{1} << 54;
void* device_address(void* host) { return reinterpret_cast<void*>(reinterpret_cast<std::uintptr_t>(host) | kMark); }

/// Blocks of memory by host address. Never destroyed: LibTorch frees tensors after our statics would be gone.
struct Blocks {
  std::mutex lock;
  std::map<void*, std::size_t> sizes;
};
Blocks& device_blocks() {
  static auto* all = new Blocks;
  return *all;
}
Blocks& pinned_blocks() {
  static auto* all = new Blocks;
  return *all;
}

void* take(Blocks& blocks, std::size_t bytes) {
  void* host = c10::alloc_cpu(bytes);
  poison(host, bytes);
  const std::lock_guard lock(blocks.lock);
  blocks.sizes.emplace(host, bytes);
  return host;
}

std::size_t give_back(Blocks& blocks, void* host) {
  const std::lock_guard lock(blocks.lock);
  const auto found = blocks.sizes.find(host);
  const std::size_t bytes = found->second;
  blocks.sizes.erase(found);
  c10::free_cpu(host);  // under the lock: take() must not find the address in use
  return bytes;
}

std::int64_t first_capacity() {
  const char* given = std::getenv("NEARFAR_FAKE_BYTES");
  return given != nullptr && *given != '\0' ? std::atoll(given) : std::int64_t{16} << 30;
}
std::atomic<std::int64_t>& limit() {
  static std::atomic<std::int64_t> bytes{first_capacity()};
  return bytes;
}
std::atomic<std::int64_t> held{0}, held_at_most{0};

void hold(std::size_t size) {
  const auto bytes = static_cast<std::int64_t>(size);
  const std::int64_t now = held += bytes;
  if (now > limit()) {
    held -= bytes;
    TORCH_CHECK_WITH(OutOfMemoryError, false, "fake device: out of memory: ", bytes, " bytes wanted, ",
                     limit() - now + bytes, " of ", limit().load(), " left");
  }
  for (std::int64_t most = held_at_most; now > most && !held_at_most.compare_exchange_weak(most, now);) {
  }
}

void release_device(void* host) {
  if (host != nullptr) held -= static_cast<std::int64_t>(give_back(device_blocks(), host));
}
void release_pinned(void* host) {
  if (host != nullptr) give_back(pinned_blocks(), host);
}

class DeviceMemoryAllocator final : public c10::DeviceAllocator {
 public:
  c10::DataPtr allocate(std::size_t bytes) override {
    if (bytes == 0) return {nullptr, nullptr, &release_device, device()};
    hold(bytes);
    void* host = take(device_blocks(), bytes);
    return {device_address(host), host, &release_device, device()};
  }
  void copy_data(void* to, const void* from, std::size_t bytes) const override {
    std::memcpy(host_address(to), host_address(from), bytes);
  }

  bool initialized() override { return true; }
  void emptyCache(c10::MempoolId_t) override {}
  void recordStream(const c10::DataPtr&, c10::Stream) override {}
  c10::CachingDeviceAllocator::DeviceStats getDeviceStats(c10::DeviceIndex) override {
    c10::CachingDeviceAllocator::DeviceStats stats;
    for (auto* bytes : {&stats.allocated_bytes, &stats.reserved_bytes, &stats.active_bytes, &stats.requested_bytes}) {
      (*bytes)[0].current = held;
      (*bytes)[0].peak = held_at_most;
    }
    return stats;
  }
  void resetAccumulatedStats(c10::DeviceIndex) override {}
  void resetPeakStats(c10::DeviceIndex) override { held_at_most = held.load(); }
  std::pair<std::size_t, std::size_t> getMemoryInfo(c10::DeviceIndex) override {
    return {static_cast<std::size_t>(std::max<std::int64_t>(limit() - held, 0)), static_cast<std::size_t>(limit())};
  }
};

class PinnedAllocator final : public c10::Allocator {
 public:
  c10::DataPtr allocate(std::size_t bytes) override {
    void* host = bytes == 0 ? nullptr : take(pinned_blocks(), bytes);
    return {host, host, &release_pinned, c10::Device(c10::DeviceType::CPU)};
  }
  void copy_data(void* to, const void* from, std::size_t bytes) const override { std::memcpy(to, from, bytes); }
};

struct sigaction before_fault[2];

void on_fault(int signal, siginfo_t* info, void*) {
  // The processor does not tell an address that is not canonical; SI_KERNEL says that it was one.
  const bool ours = info->si_code == SI_KERNEL || (reinterpret_cast<std::uintptr_t>(info->si_addr) & kMark) != 0;
  static constexpr char kText[] = "fake device: host code touched the memory of a device tensor\n";
  if (ours) static_cast<void>(!::write(STDERR_FILENO, kText, sizeof kText - 1));
  ::sigaction(signal, &before_fault[signal == SIGBUS], nullptr);  // returns to the fault, and to who handled it before
}

}  // namespace

void* host_address(const void* device) {
  return reinterpret_cast<void*>(reinterpret_cast<std::uintptr_t>(device) & ~kMark);
}
void* host_address(c10::StorageImpl& storage) { return host_address(storage._mutable_data_ptr_no_checks().get()); }

void poison(void* host, std::size_t bytes) { std::memset(host, 0xff, bytes); }

c10::DeviceAllocator& device_allocator() {
  static auto* allocator = new DeviceMemoryAllocator;
  return *allocator;
}

c10::Allocator& pinned_allocator() {
  static auto* allocator = new PinnedAllocator;
  return *allocator;
}

c10::intrusive_ptr<c10::StorageImpl> make_storage(c10::StorageImpl::use_byte_size_t tag, c10::SymInt size,
                                                  c10::DataPtr data, c10::Allocator* allocator, bool resizable) {
  if (data == nullptr) data = allocator->allocate(static_cast<std::size_t>(size.expect_int()));
  auto storage = c10::make_intrusive<c10::StorageImpl>(tag, std::move(size), std::move(data), allocator, resizable);
  storage->release_data_and_set_meta_custom_data_ptr_error_msg_(  // (releases nothing, whatever its name)
      "fake device: host code asked for the address of a device tensor's memory; use tensor operators, or copy the "
      "tensor to the host first");
  return storage;
}

bool is_pinned(const void* host) {
  Blocks& blocks = pinned_blocks();
  const std::lock_guard lock(blocks.lock);
  auto after = blocks.sizes.upper_bound(const_cast<void*>(host));
  if (after == blocks.sizes.begin()) return false;
  const auto& [start, bytes] = *--after;
  return static_cast<const char*>(host) < static_cast<const char*>(start) + bytes;
}

MemoryImage take_image() {
  Blocks& blocks = device_blocks();
  const std::lock_guard lock(blocks.lock);
  MemoryImage image;
  for (const auto& [host, bytes] : blocks.sizes) image.emplace(host, std::string(static_cast<char*>(host), bytes));
  return image;
}

void restore_image(const MemoryImage& image) {
  Blocks& blocks = device_blocks();
  const std::lock_guard lock(blocks.lock);
  for (const auto& [host, bytes] : blocks.sizes) {
    const auto found = image.find(host);
    if (found != image.end() && found->second.size() == bytes)
      std::memcpy(host, found->second.data(), bytes);
    else
      poison(host, bytes);
  }
}

void explain_faults() {
  struct sigaction action {};
  action.sa_sigaction = &on_fault;
  action.sa_flags = SA_SIGINFO;
  ::sigaction(SIGSEGV, &action, &before_fault[0]);
  ::sigaction(SIGBUS, &action, &before_fault[1]);
}

void set_capacity(std::int64_t bytes) { limit() = bytes; }
std::int64_t capacity() { return limit(); }
std::int64_t bytes_now() { return held; }
std::int64_t bytes_peak() { return held_at_most; }

}  // namespace nearfar::fake
