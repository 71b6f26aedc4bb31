/// Exported programs: any bytes are read or refused with an Error. Bytes that begin with a brace are also tried as a
/// graph alone, so that the fuzzer need not find a CRC first; a graph that is read is made functional and bound to
/// operators, and none is run.
#include "base/error.h"
#include "models/exported/archive.h"
#include "models/exported/program.h"

#include <ATen/ops/empty.h>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  try {
    nearfar::exported::parse_export({reinterpret_cast<const std::byte*>(data), size}, "fuzz");
  } catch (const nearfar::Error&) {
  }
  if (!text.starts_with("{")) return 0;
  try {
    nearfar::exported::Export whole{.graph = nearfar::exported::parse_graph(text, "fuzz")};
    for (std::size_t i = 0; i < whole.graph.constants.size(); ++i) whole.constants.push_back(at::empty({1}));
    const nearfar::exported::Program program(std::move(whole), "fuzz", {3, 8, 8});
    static_cast<void>(program.in_float64());
  } catch (const nearfar::Error&) {
  }
  return 0;
}
