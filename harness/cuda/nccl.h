#pragma once
/// Collectives over NCCL, whose library LibTorch's CUDA half brings. No header of it is needed to build.
#include "device/device_module.h"

#include <memory>
#include <string>

namespace nearfar::cuda {

/// "NCCL 2.28.9"; empty where there is no libnccl.so.2.
std::string nccl_version();
std::string new_nccl_group();
std::unique_ptr<DeviceCollectives> make_nccl(int index, const std::string& group, int rank, int size);

}  // namespace nearfar::cuda
