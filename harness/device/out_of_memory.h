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

/// The machine's memory is full, or what this process may use of it (run.memory_limit).
class HostOutOfMemory : public Error {
 public:
  explicit HostOutOfMemory(const std::string& message) : Error(ErrorKind::plugin, message) {}
};

/// HostOutOfMemory, std::bad_alloc, or what LibTorch's allocator of the CPU says?
bool is_host_out_of_memory(const std::exception& error);

/// DeviceOutOfMemory or LibTorch's own?
bool is_out_of_memory(const std::exception& error);

}  // namespace nearfar
