#pragma once
#include <nearfar/error.h>

#include <exception>
#include <string>

namespace nearfar {

/// The device's memory is full; less at once may fit. What LibTorch says of it (c10::OutOfMemoryError) becomes this
/// where it passes through a guard of ours.
class DeviceOutOfMemory : public Error {
 public:
  explicit DeviceOutOfMemory(const std::string& message) : Error(ErrorKind::plugin, message) {}
};

/// This or LibTorch's own?
bool is_out_of_memory(const std::exception& error);

}  // namespace nearfar
