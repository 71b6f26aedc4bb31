#include "host/c_tensors.h"

#include "device/out_of_memory.h"
#include "kernels/tensor_handle.h"

#include <ATen/ops/zeros.h>
#include <fmt/format.h>

#include <string>

namespace nearfar {
namespace {

std::int32_t dtype_of(at::ScalarType type) {
  switch (type) {
    case at::kFloat:
      return NEARFAR_FLOAT32;
    case at::kDouble:
      return NEARFAR_FLOAT64;
    case at::kLong:
      return NEARFAR_INT64;
    case at::kBFloat16:
      return NEARFAR_BFLOAT16;
    case at::kHalf:
      return NEARFAR_FLOAT16;
    default:
      return NEARFAR_OTHER_DTYPE;
  }
}

}  // namespace

nearfar_tensor CTensors::describe(const at::Tensor& tensor) const {
  nearfar_tensor made{};
  made.shape = tensor.sizes().data();
  made.stride = tensor.strides().data();
  made.data = tensor.is_cpu() ? const_cast<void*>(tensor.const_data_ptr()) : nullptr;
  made.dims = static_cast<std::int32_t>(tensor.dim());
  made.dtype = dtype_of(tensor.scalar_type());
  made.device = tensor.is_cpu() ? NEARFAR_CPU : tensor.is_cuda() ? NEARFAR_CUDA : NEARFAR_OTHER_DEVICE;
  made.device_index = tensor.is_cpu() ? 0 : tensor.device().index();
  made.handle = with_handles_ ? borrow_handle(tensor) : nullptr;
  // A tensor of no dimension may have no memory for its shape, which would say that there is none.
  static constexpr std::int64_t kNoDimensions[] = {0};
  if (made.shape == nullptr) made.shape = made.stride = kNoDimensions;
  return made;
}

nearfar_tensor CTensors::give(const at::Tensor& tensor) {
  if (!tensor.defined()) return {};
  if (with_handles_) return describe(kept_.emplace_back(tensor));
  const at::ScalarType type = tensor.scalar_type() == at::kLong ? at::kLong : at::kFloat;
  return describe(kept_.emplace_back(tensor.detach().to(at::kCPU, type).contiguous()));
}

nearfar_tensor CTensors::give_buffer(at::IntArrayRef shape) {
  return describe(buffers_.emplace_back(at::zeros(shape, at::kFloat)));
}

void CCall::check(std::int32_t status, bool on_device) const {
  if (status == NEARFAR_OK) return;
  const std::string text = text_[0] != '\0' ? text_ : fmt::format("status {} without a text", status);
  switch (status) {
    case NEARFAR_ERROR_CONFIG:
      throw Error(ErrorKind::config, text);
    case NEARFAR_ERROR_DATA:
      throw Error(ErrorKind::data, text);
    case NEARFAR_ERROR_MEMORY:
      if (on_device) throw DeviceOutOfMemory(text);
      throw HostOutOfMemory(text);
    default:
      throw Error(ErrorKind::plugin, text);
  }
}

}  // namespace nearfar
