#pragma once
/// LibTorch's CUDA graph behind the harness's interface.
#include "device/device_module.h"

#include <memory>

namespace nearfar::cuda {

/// Records on the current stream, so that a step may be warmed up and recorded on one side stream; where the current
/// stream is the default one, which CUDA cannot record, on a stream of its own. Runs on the stream that is current at
/// replay().
std::unique_ptr<DeviceGraph> make_graph();

}  // namespace nearfar::cuda
