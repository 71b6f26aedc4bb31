#pragma once
/// The seam to CUDA. libtorch_cuda must be loaded before anything asks LibTorch for CUDA hooks (a first backward() is
/// enough: it caches "none" for good), so a child that was asked for CUDA calls require_cuda() before anything else.
#include <string>

namespace nearfar {

struct CudaStatus {
  bool usable = false;
  int devices = 0;
  std::string reason;  ///< why not, and what to do; or the devices' number
};

/// Loads libtorch_cuda from beside libtorch_cpu, then asks it for devices. The first call decides; safe to call again.
CudaStatus probe_cuda();

/// Error(config) unless the device is "cpu": this version computes on the CPU only, and nothing may be stored as "cuda"
/// that was not made there.
void require_device(const std::string& device);

}  // namespace nearfar
