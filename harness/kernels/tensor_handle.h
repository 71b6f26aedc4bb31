#pragma once
/// at::Tensor as a handle of LibTorch's C shim, for plugins of the stable tier.
#include <ATen/core/Tensor.h>

namespace nearfar {

/// A handle of the tensor itself, borrowed: good while `tensor` is where it is. nullptr for an undefined one.
void* borrow_handle(const at::Tensor& tensor);

/// The tensor of a handle, which is not null.
const at::Tensor& tensor_of_handle(void* handle);

/// A new handle, which its receiver owns. nullptr for an undefined one.
void* new_handle(const at::Tensor& tensor);

/// Takes over a handle that the shim made; undefined for nullptr.
at::Tensor take_handle(void* handle);

}  // namespace nearfar
