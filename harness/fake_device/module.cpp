// The fake device as a device module (device/device_module.h), and what happens once in a process.
#include "fake_device/collectives.h"
#include "fake_device/counters.h"
#include "fake_device/fake_device.h"
#include "fake_device/guard.h"
#include "fake_device/memory.h"
#include "fake_device/operators.h"

#include <c10/core/impl/VirtualGuardImpl.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>

namespace nearfar::fake {
namespace {

std::string json(const Counts& of) {
  std::int64_t kernels = 0;
  for (const auto& [name, count] : of.kernels_of) kernels += count;
  std::string waits;
  for (const auto& [name, count] : of.waits_of) waits += c10::str(waits.empty() ? "" : ", ", '"', name, "\": ", count);
  return c10::str("{\"kernels\": ", kernels, ", \"to_device\": ", of.to_device,
                  ", \"to_device_bytes\": ", of.to_device_bytes, ", \"to_host\": ", of.to_host,
                  ", \"to_host_bytes\": ", of.to_host_bytes, ", \"waits\": ", of.waits, ", \"waits_of\": {", waits,
                  "}, \"peak_bytes\": ", bytes_peak(), "}\n");
}

void report() {
  const char* name = std::getenv("NEARFAR_FAKE_REPORT");
  if (name == nullptr || *name == '\0') return;
  std::FILE* file = std::fopen(name, "a");  // in one write: several processes may share the file
  if (file == nullptr) return;
  std::fputs(json(counts()).c_str(), file);
  std::fclose(file);
}

const bool installed = [] {
  c10::register_privateuse1_backend("fake");
  c10::SetAllocator(kType, &device_allocator());
  c10::SetStorageImplCreate(kType, &make_storage);
  register_guard_and_hooks();
  register_own_operators();
  register_cpu_operators();
  explain_faults();
  return std::atexit(&report) == 0;
}();

int devices(std::string& why) noexcept {
  if (!installed) why = "the fake device could not be installed";
  return installed ? 1 : 0;
}

DeviceFacts facts(int) {
  // Batches of the CPU's size: its convolutions sum in another order for another number of images, and the tests
  // compare bytes.
  return {.name = "fake device",
          .software = "CPU kernels",
          .capability = "",
          .identity = identity(),
          .collectives = "sockets",
          .bytes = capacity(),
          .bfloat16 = false,
          .busy_images = 64};
}

DeviceMemory memory(int) { return {.free = std::max<std::int64_t>(capacity() - bytes_now(), 0), .peak = bytes_peak()}; }

void forbid_waits(bool on) {
  static auto* scope = new std::unique_ptr<ForbidSyncs>;
  *scope = on ? std::make_unique<ForbidSyncs>() : nullptr;
}

constexpr DeviceModule kModule{.api = kDeviceModuleApi,
                               .name = "fake",
                               .type = kType,
                               .devices = &devices,
                               .facts = &facts,
                               .memory = &memory,
                               .graph = &make_graph,
                               .new_group = &new_group,
                               .collectives = &make_collectives,
                               .forbid_waits = &forbid_waits};

}  // namespace
}  // namespace nearfar::fake

const nearfar::DeviceModule* nearfar_device_module() { return &nearfar::fake::kModule; }
