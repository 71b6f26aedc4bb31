#pragma once
#include <nearfar/error.h>

#include <string>

namespace nearfar {

/// The device's memory is full; less at once may fit. What LibTorch says of it (c10::OutOfMemoryError) becomes this
/// where it passes through a guard of ours.
class DeviceOutOfMemory : public Error {
 public:
  explicit DeviceOutOfMemory(const std::string& message) : Error(ErrorKind::plugin, message) {}
};

}  // namespace nearfar
