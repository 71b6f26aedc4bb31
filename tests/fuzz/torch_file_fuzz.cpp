/// Zip and pickle: any bytes are read or refused with an Error. Bytes that begin with a pickle are also tried as
/// data.pkl alone, so that the fuzzer need not find a CRC first.
#include "base/error.h"
#include "models/pickle.h"
#include "models/torch_file.h"

#include <ATen/core/Tensor.h>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::span<const std::byte> bytes(reinterpret_cast<const std::byte*>(data), size);
  try {
    nearfar::parse_torch_file(bytes, "fuzz");
  } catch (const nearfar::Error&) {
  }
  try {
    nearfar::read_pickle(bytes, "fuzz");
  } catch (const nearfar::Error&) {
  }
  return 0;
}
