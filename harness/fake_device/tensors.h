#pragma once
/// Tensors of the fake device and what kernels see of them.
#include <ATen/core/Tensor.h>

namespace nearfar::fake {

inline bool is_ours(const at::Tensor& tensor) { return tensor.device().type() == c10::DeviceType::PrivateUse1; }

/// A CPU tensor over the device tensor's own memory: what kernels work on. An operator may resize it (out arguments);
/// then it has memory of its own.
at::Tensor on_host(const at::Tensor& tensor);

at::Tensor new_tensor(c10::IntArrayRef sizes, c10::IntArrayRef strides, at::ScalarType type);

/// A kernel's result as a device tensor of the same strides.
at::Tensor to_device(const at::Tensor& host);

/// Another view of the device tensor's memory, with the shape that a view operator gave the tensor's alias.
at::Tensor view_of(const at::Tensor& base, const at::Tensor& alias);

}  // namespace nearfar::fake
