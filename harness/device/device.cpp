#include "device/device.h"

#include "base/error.h"
#include "device/out_of_memory.h"

#include <ATen/Context.h>
#include <ATen/core/Tensor.h>
#include <ATen/detail/CUDAHooksInterface.h>
#include <c10/core/impl/VirtualGuardImpl.h>
#include <c10/util/Exception.h>
#include <dlfcn.h>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <mutex>

namespace nearfar {
namespace {
namespace fs = std::filesystem;

/// Where libtorch_cpu was loaded from: libtorch_cuda must be of the same wheel.
fs::path torch_folder() {
  Dl_info info{};
  const auto* any = reinterpret_cast<const void*>(&at::detail::getCUDAHooks);
  if (::dladdr(any, &info) == 0 || info.dli_fname == nullptr) return {};
  return fs::path(info.dli_fname).parent_path();
}

fs::path module_file() {
  if (const char* given = std::getenv("NEARFAR_DEVICE_MODULE"); given != nullptr && *given != '\0') return given;
  std::error_code ignored;
  const fs::path engine = fs::read_symlink("/proc/self/exe", ignored);
  return (engine.parent_path() / "../../lib/nearfar/libnearfar_cuda.so").lexically_normal();
}

/// dlopen, or why not.
void* load(const fs::path& file, std::string& why) {
  void* library = ::dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library != nullptr) return library;
  const char* text = ::dlerror();
  why = fmt::format("{} cannot be loaded: {}", file.string(), text != nullptr ? text : "unknown reason");
  return nullptr;
}

/// Null with the reason.
const DeviceModule* load_module(std::string& why) {
  const fs::path file = module_file();
  if (!fs::exists(file)) {
    why = fmt::format("this build has no CUDA module ({} is not there); build it with ./run build cuda", file.string());
    return nullptr;
  }
  // Before the module: its own search path may lead to another folder's libtorch_cuda.
  const fs::path cuda = torch_folder() / "libtorch_cuda.so";
  const bool whole = fs::exists(cuda);
  if (whole && load(cuda, why) == nullptr) {
    why += "; LibTorch's CUDA half needs NVIDIA's libraries: fetch them with ./run cuda";
    return nullptr;
  }
  void* library = load(file, why);
  if (library == nullptr) {
    if (!whole)
      why = fmt::format(
          "{} is not there: this is the CPU part of LibTorch; fetch the rest with ./run cuda, or set "
          "NEARFAR_TORCH_DIR to a LibTorch with CUDA and build again",
          cuda.string());
    return nullptr;
  }
  const auto entry = reinterpret_cast<decltype(&nearfar_device_module)>(::dlsym(library, "nearfar_device_module"));
  const DeviceModule* module = entry != nullptr ? entry() : nullptr;
  if (module == nullptr || module->api != kDeviceModuleApi) {
    why = fmt::format("{} is of another version of nearfar; build both again", file.string());
    return nullptr;
  }
  return module;
}

DeviceStatus probe() {
  // Read by cuBLAS when it starts: without it some products of matrices differ from run to run.
  ::setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8", /*overwrite=*/0);
  DeviceStatus status;
  const DeviceModule* module = load_module(status.reason);
  if (module == nullptr) return status;
  status.devices = module->devices(status.reason);
  if (status.devices == 0) return status;
  status.module = module;
  const DeviceFacts facts = module->facts(0);
  status.reason = fmt::format("{} x {} ({} GiB; {})", status.devices, facts.name, facts.bytes >> 30, facts.software);
  return status;
}

const DeviceModule& module_of(at::Device device) {
  const DeviceStatus& status = probe_devices();
  NEARFAR_ASSERT(status.module != nullptr && status.module->type == device.type());
  return *status.module;
}

int index_of(at::Device device) { return device.has_index() ? device.index() : 0; }

/// One more scope that forbids waits, or one less: they may lie within each other.
void forbid_waits(int change) {
  static std::mutex lock;
  static int scopes = 0;
  const DeviceModule* module = probe_devices().module;
  if (module == nullptr) return;
  const std::lock_guard locked(lock);
  scopes += change;
  module->forbid_waits(scopes > 0);
}

[[noreturn]] void refuse(const std::string& name, const std::string& why) {
  throw Error(ErrorKind::config, fmt::format("device '{}' is not usable here: {}. Use --device cpu.", name, why));
}

}  // namespace

const DeviceStatus& probe_devices() {
  static const DeviceStatus status = probe();
  return status;
}

at::Device open_device(const std::string& name) {
  if (name == "cpu") return at::kCPU;
  constexpr std::string_view kName = "cuda";
  const std::string_view rest = std::string_view(name).substr(std::min(name.size(), kName.size()));
  int index = 0;
  bool known = name.starts_with(kName);
  if (known && !rest.empty()) {
    const auto [end, error] = std::from_chars(rest.data() + 1, rest.data() + rest.size(), index);
    known = rest.front() == ':' && rest.size() > 1 && error == std::errc() && end == rest.data() + rest.size() &&
            index >= 0;
  }
  if (!known) throw Error(ErrorKind::config, fmt::format("unknown device '{}'; expected cpu, cuda or cuda:N", name));
  const DeviceStatus& status = probe_devices();
  if (status.module == nullptr) refuse(name, status.reason);
  if (index >= status.devices)
    refuse(name, fmt::format("there are {}, numbered from 0: {}", status.devices, status.reason));
  return {status.module->type, static_cast<c10::DeviceIndex>(index)};
}

void make_deterministic(bool deterministic) {
  at::Context& context = at::globalContext();
  context.setDeterministicAlgorithms(deterministic, /*warn_only=*/true);
  context.setDeterministicFillUninitializedMemory(false);
  context.setAllowTF32CuDNN(false);
  context.setAllowTF32CuBLAS(false);
}

DeviceFacts device_facts(at::Device device) { return module_of(device).facts(index_of(device)); }
DeviceMemory device_memory(at::Device device) { return module_of(device).memory(index_of(device)); }

std::unique_ptr<DeviceGraph> make_graph(at::Device device) {
  return device.is_cpu() ? nullptr : module_of(device).graph();
}

std::string new_device_group(at::Device device) { return module_of(device).new_group(); }

std::unique_ptr<DeviceCollectives> make_collectives(at::Device device, const std::string& group, int rank, int size) {
  return module_of(device).collectives(index_of(device), group, rank, size);
}

bool is_out_of_memory(const std::exception& error) {
  return dynamic_cast<const DeviceOutOfMemory*>(&error) != nullptr ||
         dynamic_cast<const c10::OutOfMemoryError*>(&error) != nullptr;
}

bool is_host_out_of_memory(const std::exception& error) {
  if (dynamic_cast<const HostOutOfMemory*>(&error) != nullptr || dynamic_cast<const std::bad_alloc*>(&error) != nullptr)
    return true;
  const auto* torch = dynamic_cast<const c10::Error*>(&error);  // it has no type of its own there
  return torch != nullptr &&
         std::string_view(torch->what_without_backtrace()).find("DefaultCPUAllocator") != std::string_view::npos;
}

void wait_for(at::Device device) {
  if (device.is_cpu()) return;
  c10::impl::VirtualGuardImpl(device.type()).synchronizeDevice(static_cast<c10::DeviceIndex>(index_of(device)));
}

ForbidWaits::ForbidWaits() { forbid_waits(+1); }
ForbidWaits::~ForbidWaits() { forbid_waits(-1); }

}  // namespace nearfar
