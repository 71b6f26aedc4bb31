#pragma once
/// A copy on the host, on purpose: where one is needed, a reader should see it. The host waits for the device.
#include <ATen/core/Tensor.h>

namespace nearfar {

/// The tensor itself where it is on the host.
inline at::Tensor to_host(const at::Tensor& tensor) { return tensor.cpu(); }

}  // namespace nearfar
