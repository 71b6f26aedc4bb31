#pragma once
/// What was asked of the device since the last question: for the messages about finished cells.
#include "wire/messages.h"

#include <c10/core/Device.h>

namespace nearfar {

class DeviceUseMeter {
 public:
  explicit DeviceUseMeter(at::Device device) : device_(device) {}
  /// Since the last call. All zero on a CPU.
  wire::DeviceUse read();

 private:
  at::Device device_;
  wire::DeviceUse before_;
};

}  // namespace nearfar
