#pragma once
/// What a device brings as a library of its own, loaded before anything asks LibTorch for it: libnearfar_cuda.so for
/// NVIDIA GPUs, libnearfar_fake.so for tests and checks. Everything that LibTorch does for any device (memory, streams,
/// events, pinned memory, autocast, fused optimisers) is not here. Plain functions, called by harness/device alone.
#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>

#include <cstdint>
#include <memory>
#include <string>

namespace nearfar {

constexpr std::uint32_t kDeviceModuleApi = 2;

/// Work that is recorded once and run many times. Between begin() and end(), on one thread, what is enqueued is
/// recorded and not run; replay() runs it on the current stream, with the same addresses. Recorded is the current
/// stream, on which the work may have been warmed up, or one of the graph's own where that is the device's default one.
/// Nothing in between may wait for the device, or copy from or to memory that is not pinned. Tensors made in between
/// stay alive with the graph, and hold nothing before the first replay.
class DeviceGraph {
 public:
  DeviceGraph() = default;
  DeviceGraph(const DeviceGraph&) = delete;
  DeviceGraph& operator=(const DeviceGraph&) = delete;
  virtual ~DeviceGraph() = default;
  virtual void begin() = 0;
  virtual void end() = 0;
  virtual void replay() = 0;
};

/// What several processes ("ranks"), each with a device of its own, tell each other without the host: NCCL. Every rank
/// makes the same calls in the same order; they are enqueued on the current stream, and nobody waits. Tensors are
/// contiguous and on the device. c10::Error where the connection is seen to be broken; a rank that is gone may as well
/// leave the device waiting for good.
class DeviceCollectives {
 public:
  DeviceCollectives() = default;
  DeviceCollectives(const DeviceCollectives&) = delete;
  DeviceCollectives& operator=(const DeviceCollectives&) = delete;
  virtual ~DeviceCollectives() = default;  ///< what is under way is given up
  /// In place: the sum over all ranks, the same bits on each. float32, float64 or int64.
  virtual void sum(const at::Tensor& tensor) = 0;
  /// The same, beside what is enqueued next. The tensor is left alone, and alive, until finish_sums(): what is enqueued
  /// after it finds all sums.
  virtual void begin_sum(const at::Tensor& tensor) = 0;
  virtual void finish_sums() = 0;
  /// In place: rank 0's. Any type.
  virtual void broadcast(const at::Tensor& tensor) = 0;
  /// all[rank] = that rank's `own`. Any type; all.nbytes() = ranks * own.nbytes().
  virtual void gather(const at::Tensor& own, const at::Tensor& all) = 0;
};

struct DeviceFacts {
  std::string name;                 ///< "NVIDIA H100 80GB HBM3"
  std::string software;             ///< "CUDA 13.0, driver for CUDA 13.0, cuDNN 91900"
  std::string capability;           ///< "9.0"; empty where there is no such number
  std::string identity;             ///< of the very device, among all machines: "GPU-9a7f…"
  std::string collectives;          ///< "NCCL 2.28.9"; empty: collectives() would fail
  std::int64_t bytes = 0;           ///< of memory, in all
  bool bfloat16 = false;            ///< computes with bfloat16 at a higher rate than with float32
  std::int64_t busy_images = 1024;  ///< images of a batch that keep it busy; more would only take memory
};

struct DeviceMemory {
  std::int64_t free = 0;  ///< bytes that may still be asked for, LibTorch's unused cache included
  std::int64_t peak = 0;  ///< bytes that tensors held at most since the process began
};

struct DeviceModule {
  std::uint32_t api = kDeviceModuleApi;
  const char* name = "";  ///< what people type: "cuda"
  c10::DeviceType type = c10::DeviceType::CPU;
  /// Usable devices; 0: `why` says why not and what to do.
  int (*devices)(std::string& why) noexcept = nullptr;
  DeviceFacts (*facts)(int index) = nullptr;
  DeviceMemory (*memory)(int index) = nullptr;
  /// On the current device.
  std::unique_ptr<DeviceGraph> (*graph)() = nullptr;
  /// Names a new group of ranks. On rank 0, whose process stays until collectives() of all ranks have returned.
  std::string (*new_group)() = nullptr;
  /// Joins a group with the device `index`, which no other rank of it has. Waits for all. c10::Error says why not.
  std::unique_ptr<DeviceCollectives> (*collectives)(int index, const std::string& group, int rank, int size) = nullptr;
  /// While on, an operator that makes the host wait for the device is c10::Error: for tests and the GPU check.
  void (*forbid_waits)(bool on) = nullptr;
};

}  // namespace nearfar

extern "C" __attribute__((visibility("default"))) const nearfar::DeviceModule* nearfar_device_module();
