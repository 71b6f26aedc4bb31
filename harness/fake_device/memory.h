#pragma once
/// Memory of the fake device, and pinned memory of the host.
///
/// A device address is the host's with bit 54 set: not canonical on x86-64 and never mapped on 64-bit ARM, so reading
/// one is a fault, while offsets within a tensor and comparisons of addresses work as ever.
#include "fake_device/fake_device.h"

#include <c10/core/CachingDeviceAllocator.h>
#include <c10/core/StorageImpl.h>

#include <map>

namespace nearfar::fake {

/// Where the bytes of a device address really are.
void* host_address(const void* device);
void* host_address(c10::StorageImpl& storage);

/// Of device memory, with the statistics that at::accelerator asks for. What it gives is all ones: NaN, or index -1.
c10::DeviceAllocator& device_allocator();
/// A storage of the device, which refuses to tell its address. For c10::SetStorageImplCreate.
c10::intrusive_ptr<c10::StorageImpl> make_storage(c10::StorageImpl::use_byte_size_t tag, c10::SymInt size,
                                                  c10::DataPtr data, c10::Allocator* allocator, bool resizable);

/// Of host memory that a GPU could copy from and to by itself.
c10::Allocator& pinned_allocator();
/// Any address inside of it counts.
bool is_pinned(const void* host);

/// All bytes of the device, to be put back. What was made since then is all ones afterwards.
using MemoryImage = std::map<void*, std::string>;
MemoryImage take_image();
void restore_image(const MemoryImage& image);

void poison(void* host, std::size_t bytes);

/// Says on stderr that host code touched device memory, before the process ends of it.
void explain_faults();

}  // namespace nearfar::fake
