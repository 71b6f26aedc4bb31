#include "engine/cuda.h"

#include "base/error.h"

#include <ATen/core/Tensor.h>
#include <ATen/detail/CUDAHooksInterface.h>
#include <dlfcn.h>
#include <fmt/format.h>

#include <filesystem>

namespace nearfar {
namespace {
std::filesystem::path torch_folder() {
  Dl_info info{};
  // Any function of libtorch_cpu tells where that library was loaded from.
  if (::dladdr(reinterpret_cast<const void*>(&at::detail::getCUDAHooks), &info) == 0 || info.dli_fname == nullptr)
    return {};
  return std::filesystem::path(info.dli_fname).parent_path();
}

CudaStatus probe() {
  const auto library = torch_folder() / "libtorch_cuda.so";
  if (!std::filesystem::exists(library)) {
    return {.reason = fmt::format("{} is not there: this is the CPU part of LibTorch; set NEARFAR_TORCH_DIR to a "
                                  "LibTorch with CUDA and build again",
                                  library.string())};
  }
  if (::dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL) == nullptr) {
    const char* why = ::dlerror();
    return {.reason =
                fmt::format("{} cannot be loaded: {}", library.string(), why != nullptr ? why : "unknown reason")};
  }
  const auto& hooks = at::detail::getCUDAHooks();
  const int devices = hooks.hasCUDA() ? static_cast<int>(hooks.deviceCount()) : 0;
  if (devices == 0)
    return {.reason =
                "libtorch_cuda is loaded but finds no device: is an NVIDIA driver installed, and a GPU visible "
                "(nvidia-smi, "
                "CUDA_VISIBLE_DEVICES)?"};
  return {.usable = true, .devices = devices, .reason = fmt::format("{} devices", devices)};
}
}  // namespace

CudaStatus probe_cuda() {
  static const CudaStatus status = probe();
  return status;
}

void require_device(const std::string& device) {
  if (device == "cpu") return;
  const CudaStatus status = probe_cuda();
  throw Error(
      ErrorKind::config,
      fmt::format("device '{}' is not usable here: {}. This version computes on the CPU only: use --device cpu.",
                  device, status.usable ? "there is a GPU, but no code for it yet" : status.reason));
}

}  // namespace nearfar
