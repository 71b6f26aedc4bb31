#include "fake_device/tensors.h"

#include "fake_device/memory.h"
#include "fake_device/stream.h"

#include <ATen/core/Tensor.h>

#include <cstring>
#include <utility>

namespace nearfar::fake {
namespace {

/// Elements of memory between the first and the last one, both included.
std::int64_t reach(c10::IntArrayRef sizes, c10::IntArrayRef strides) {
  std::int64_t elements = 1;
  for (std::size_t d = 0; d < sizes.size(); ++d) {
    if (sizes[d] == 0) return 0;
    elements += (sizes[d] - 1) * strides[d];
  }
  return elements;
}

}  // namespace

at::Tensor on_host(const at::Tensor& tensor) {
  c10::StorageImpl& storage = *tensor.storage().unsafeGetStorageImpl();
  settle(storage);
  c10::Storage memory(c10::make_intrusive<c10::StorageImpl>(
      c10::StorageImpl::use_byte_size_t(), static_cast<std::int64_t>(storage.nbytes()),
      c10::DataPtr(host_address(storage), c10::Device(c10::DeviceType::CPU)), c10::GetAllocator(c10::DeviceType::CPU),
      /*resizable=*/true));
  at::Tensor alias = at::detail::make_tensor<c10::TensorImpl>(
      std::move(memory), c10::DispatchKeySet(c10::DispatchKey::CPU), tensor.dtype());
  alias.unsafeGetTensorImpl()->set_sizes_and_strides(tensor.sizes(), tensor.strides(), tensor.storage_offset());
  if (tensor.is_conj()) alias._set_conj(true);
  if (tensor.is_neg()) alias._set_neg(true);
  if (tensor.unsafeGetTensorImpl()->is_wrapped_number()) alias.unsafeGetTensorImpl()->set_wrapped_number(true);
  return alias;
}

at::Tensor new_tensor(c10::IntArrayRef sizes, c10::IntArrayRef strides, at::ScalarType type) {
  const std::int64_t bytes = reach(sizes, strides) * static_cast<std::int64_t>(c10::elementSize(type));
  c10::Storage storage(make_storage({}, bytes, device_allocator().allocate(static_cast<std::size_t>(bytes)),
                                    &device_allocator(), /*resizable=*/true));
  at::Tensor made = at::detail::make_tensor<c10::TensorImpl>(
      std::move(storage), c10::DispatchKeySet(c10::DispatchKey::PrivateUse1), c10::scalarTypeToTypeMeta(type));
  made.unsafeGetTensorImpl()->set_sizes_and_strides(sizes, strides);
  return made;
}

at::Tensor to_device(const at::Tensor& host) {
  at::Tensor made = new_tensor(host.sizes(), host.strides(), host.scalar_type());
  c10::StorageImpl& storage = *made.storage().unsafeGetStorageImpl();
  if (storage.nbytes() > 0) std::memcpy(host_address(storage), host.const_data_ptr(), storage.nbytes());
  return made;
}

at::Tensor view_of(const at::Tensor& base, const at::Tensor& alias) {
  // The VIEW constructor adds no autograd keys: without the base's the view would be an inference tensor.
  at::Tensor view = at::detail::make_tensor<c10::TensorImpl>(c10::TensorImpl::VIEW, c10::Storage(base.storage()),
                                                             base.key_set(), alias.dtype());
  view.unsafeGetTensorImpl()->set_sizes_and_strides(alias.sizes(), alias.strides(), alias.storage_offset());
  return view;
}

}  // namespace nearfar::fake
