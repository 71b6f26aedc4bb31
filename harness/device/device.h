#pragma once
/// The one place that knows devices. Everything else is given an at::Device and computes with ATen wherever that is.
#include "device/device_module.h"

#include <string>

namespace nearfar {

struct DeviceStatus {
  const DeviceModule* module = nullptr;  ///< null: nothing but the CPU is usable
  int devices = 0;
  std::string reason;  ///< why not, and what to do; or what there is
};

/// Loads the device's module, of NEARFAR_DEVICE_MODULE or else lib/nearfar/libnearfar_cuda.so beside the engine, and
/// libtorch_cuda before it. The first call decides, and must come before anything asks LibTorch for CUDA: a first
/// backward() is enough, which remembers "none" for good. Never throws; any thread.
const DeviceStatus& probe_devices();

/// "cpu"; "cuda" or "cuda:N" = the module's device 0 or N. Error(config) with the reason where it is not usable.
at::Device open_device(const std::string& name);

/// Bit-equal results from run to run, and no TF32, which LibTorch's convolutions use unless told otherwise. Before the
/// device is first used.
void make_deterministic(bool deterministic);

/// Facts and memory of an accelerator. Error(internal) for the CPU.
DeviceFacts device_facts(at::Device device);
DeviceMemory device_memory(at::Device device);

/// Null on the CPU.
std::unique_ptr<DeviceGraph> make_graph(at::Device device);

/// Of an accelerator, by its module (device_module.h).
std::string new_device_group(at::Device device);
std::unique_ptr<DeviceCollectives> make_collectives(at::Device device, const std::string& group, int rank, int size);

/// Returns when everything that was enqueued is done.
void wait_for(at::Device device);

/// While one lives, waiting for the device is an error. Process-wide; for tests and the GPU check.
class ForbidWaits {
 public:
  ForbidWaits();
  ~ForbidWaits();
  ForbidWaits(const ForbidWaits&) = delete;
  ForbidWaits& operator=(const ForbidWaits&) = delete;
};

}  // namespace nearfar
