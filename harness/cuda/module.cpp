// libnearfar_cuda.so: what LibTorch's device-generic interface does not offer of NVIDIA GPUs. Links libtorch_cuda and
// libc10_cuda of the engine's wheel, and cudart; harness/device loads it.
#include "cuda/graph.h"
#include "cuda/nccl.h"
#include "device/device_module.h"

#include <ATen/detail/CUDAHooksInterface.h>
#include <c10/cuda/CUDACachingAllocator.h>
#include <c10/cuda/CUDAException.h>
#include <c10/cuda/CUDAFunctions.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/util/StringUtil.h>
#include <cuda_runtime_api.h>

#include <algorithm>

namespace nearfar::cuda {
namespace {

/// 13000 -> "13.0".
std::string version(int number) { return c10::str(number / 1000, ".", number % 1000 / 10); }

int devices(std::string& why) noexcept {
  int driver = 0, runtime = 0, count = 0;
  static_cast<void>(cudaDriverGetVersion(&driver));
  static_cast<void>(cudaRuntimeGetVersion(&runtime));
  if (driver == 0) {
    why = "no NVIDIA driver is installed (libcuda.so.1 is missing): install it, or run on a machine with an NVIDIA GPU";
    return 0;
  }
  if (driver < runtime / 1000 * 1000) {
    why = c10::str("the NVIDIA driver knows CUDA ", version(driver), ", LibTorch needs ", runtime / 1000,
                   ".0: install a newer driver");
    return 0;
  }
  const cudaError_t error = cudaGetDeviceCount(&count);
  if (error == cudaSuccess && count > 0) return count;
  static_cast<void>(cudaGetLastError());
  why = c10::str("there is an NVIDIA driver, but no GPU to be seen (", cudaGetErrorString(error),
                 "): see nvidia-smi and CUDA_VISIBLE_DEVICES");
  return 0;
}

std::string identity(const cudaUUID_t& uuid) {
  std::string text = "GPU-";
  for (const char byte : uuid.bytes) {
    for (const int shift : {4, 0}) text += "0123456789abcdef"[static_cast<unsigned char>(byte) >> shift & 15];
  }
  return text;
}

DeviceFacts facts(int index) {
  cudaDeviceProp properties{};
  C10_CUDA_CHECK(cudaGetDeviceProperties(&properties, index));
  int driver = 0, runtime = 0;
  C10_CUDA_CHECK(cudaDriverGetVersion(&driver));
  C10_CUDA_CHECK(cudaRuntimeGetVersion(&runtime));
  const auto& hooks = at::detail::getCUDAHooks();
  const std::string cudnn = hooks.hasCuDNN() ? c10::str("cuDNN ", hooks.versionRuntimeCuDNN()) : "no cuDNN";
  return {.name = properties.name,
          .software = c10::str("CUDA ", version(runtime), ", driver for CUDA ", version(driver), ", ", cudnn),
          .capability = c10::str(properties.major, ".", properties.minor),
          .identity = identity(properties.uuid),
          .collectives = nccl_version(),
          .bytes = static_cast<std::int64_t>(properties.totalGlobalMem),
          .bfloat16 = properties.major >= 8};
}

DeviceMemory memory(int index) {
  const c10::cuda::CUDAGuard guard(static_cast<c10::DeviceIndex>(index));
  std::size_t free = 0, total = 0;
  C10_CUDA_CHECK(cudaMemGetInfo(&free, &total));
  namespace allocator = c10::cuda::CUDACachingAllocator;
  if (!allocator::get()->initialized()) return {.free = static_cast<std::int64_t>(free)};
  const auto stats = allocator::getDeviceStats(static_cast<c10::DeviceIndex>(index));
  constexpr auto kAll = static_cast<std::size_t>(c10::CachingAllocator::StatType::AGGREGATE);
  const std::int64_t unused = stats.reserved_bytes[kAll].current - stats.allocated_bytes[kAll].current;
  return {.free = static_cast<std::int64_t>(free) + std::max<std::int64_t>(unused, 0),
          .peak = stats.allocated_bytes[kAll].peak};
}

void forbid_waits(bool on) {
  using Mode = c10::cuda::SyncDebugMode;
  c10::cuda::warning_state().set_sync_debug_mode(on ? Mode::L_ERROR : Mode::L_DISABLED);
}

constexpr DeviceModule kModule{.name = "cuda",
                               .type = c10::DeviceType::CUDA,
                               .devices = devices,
                               .facts = facts,
                               .memory = memory,
                               .graph = make_graph,
                               .new_group = new_nccl_group,
                               .collectives = make_nccl,
                               .forbid_waits = forbid_waits};

}  // namespace
}  // namespace nearfar::cuda

const nearfar::DeviceModule* nearfar_device_module() { return &nearfar::cuda::kModule; }
