#pragma once
/// Mixed precision while it lives: products and convolutions in a shorter type, everything that sums in float32, by
/// LibTorch's own lists (aten autocast). One thread.
#include <c10/core/Device.h>

#include <string_view>

namespace nearfar {

class Autocast {
 public:
  /// `dtype`: "float32" = nothing happens, or "bfloat16".
  Autocast(at::Device device, std::string_view dtype);
  ~Autocast();
  Autocast(const Autocast&) = delete;
  Autocast& operator=(const Autocast&) = delete;

 private:
  c10::DeviceType type_;
  bool on_, before_;
};

}  // namespace nearfar
