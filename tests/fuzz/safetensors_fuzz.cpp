/// Safetensors: any bytes are read or refused with an Error.
#include "base/error.h"
#include "models/safetensors.h"

#include <ATen/core/Tensor.h>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    nearfar::parse_safetensors({reinterpret_cast<const std::byte*>(data), size}, "fuzz");
  } catch (const nearfar::Error&) {
  }
  return 0;
}
