#include "kernels/tensor_handle.h"

#include <torch/csrc/inductor/aoti_torch/utils.h>

#include <memory>

namespace nearfar {
using torch::aot_inductor::tensor_handle_to_tensor_pointer;
using torch::aot_inductor::tensor_pointer_to_tensor_handle;

void* borrow_handle(const at::Tensor& tensor) {
  return tensor.defined() ? tensor_pointer_to_tensor_handle(const_cast<at::Tensor*>(&tensor)) : nullptr;
}

const at::Tensor& tensor_of_handle(void* handle) {
  return *tensor_handle_to_tensor_pointer(static_cast<AtenTensorHandle>(handle));
}

void* new_handle(const at::Tensor& tensor) {
  return tensor.defined() ? tensor_pointer_to_tensor_handle(new at::Tensor(tensor)) : nullptr;
}

at::Tensor take_handle(void* handle) {
  if (handle == nullptr) return {};
  const std::unique_ptr<at::Tensor> owned(tensor_handle_to_tensor_pointer(static_cast<AtenTensorHandle>(handle)));
  return *owned;
}

}  // namespace nearfar
