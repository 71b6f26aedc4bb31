#pragma once
/// An accelerator for tests on machines that have none: device type PrivateUse1, named "fake", computing with
/// LibTorch's CPU kernels. What a GPU refuses, makes slow or gets wrong without a word becomes an error here, or a
/// number to check:
///   - host code reads a device tensor's memory: the process ends with a message; data_ptr() is c10::Error
///   - tensors of the host and of the device together, or a CPU generator for the device: c10::Error, names the
///   operator
///   - copies and waits are counted; inside ForbidSyncs, or while a graph is captured, a wait is c10::Error
///   - copies from and to pinned memory happen late, see counts(): used too early, they give NaN or the wrong bytes
///   - memory has an end (NEARFAR_FAKE_BYTES), and what was never written is NaN
/// Linked, or loaded through NEARFAR_DEVICE_MODULE: it registers itself, once. At exit it appends a line of JSON with
/// its counts to the file that NEARFAR_FAKE_REPORT names. There is one device, with one stream. Any thread.
#include "device/device_module.h"

#include <c10/core/Device.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>

namespace nearfar::fake {

constexpr c10::DeviceType kType = c10::DeviceType::PrivateUse1;
inline c10::Device device() { return {kType, 0}; }

/// Of the whole process: a backward pass runs on a thread of its own.
///
/// A copy with non_blocking between the device and pinned memory is no wait. To the host it arrives when the host waits
/// for it (for an event recorded later, the stream or the device; or asks whether one is done); until then the memory
/// is all ones: NaN. From the host it reads its source as late as it can: when the tensor is first used, or at the
/// wait. A source that has changed by the time of the wait makes that wait a c10::Error.
struct Counts {
  std::int64_t to_device = 0, to_device_bytes = 0;  ///< copies, of either kind
  std::int64_t to_host = 0, to_host_bytes = 0;      ///< likewise; item() is one
  std::int64_t waits = 0;                           ///< times that the host would have waited for a GPU
  std::map<std::string, std::int64_t> waits_of;     ///< "aten::nonzero", "copy to host", "synchronize event"
  std::map<std::string, std::int64_t> kernels_of;   ///< operators that ran on the device: "aten::add"
};
Counts counts();
void reset_counts();

/// While one lives, an operator that waits is c10::Error, and so are waits for the stream or the device. Waiting for an
/// event is not: one is recorded in order to be waited for, and CUDA sees it like that too. Process-wide.
class ForbidSyncs {
 public:
  ForbidSyncs();
  ~ForbidSyncs();
  ForbidSyncs(const ForbidSyncs&) = delete;
  ForbidSyncs& operator=(const ForbidSyncs&) = delete;
};

/// A CUDA graph's manners. A capture changes nothing: what it made holds NaN until the first replay, and numbers (a
/// CPU tensor without dimensions, too) are recorded as they were. A wait in between, or a copy from or to memory that
/// is not pinned, is c10::Error, and spoils the capture: end() is an error too. One capture at a time.
std::unique_ptr<DeviceGraph> make_graph();

/// Bytes that the device has; from then on asking for more is c10::OutOfMemoryError.
void set_capacity(std::int64_t bytes);
std::int64_t capacity();
/// Bytes that tensors hold now, and held at most.
std::int64_t bytes_now();
std::int64_t bytes_peak();

}  // namespace nearfar::fake
