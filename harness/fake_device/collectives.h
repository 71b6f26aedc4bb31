#pragma once
/// Ranks of the fake device, as processes or as threads, over sockets of this machine: rank 0 does the work, in the
/// order of the ranks, and every call waits for it.
#include "device/device_module.h"

#include <memory>
#include <string>

namespace nearfar::fake {

/// Of the calling thread, so that ranks may be threads of one process; or what NEARFAR_FAKE_IDENTITY says.
std::string identity();
std::string new_group();
std::unique_ptr<DeviceCollectives> make_collectives(int index, const std::string& group, int rank, int size);

}  // namespace nearfar::fake
