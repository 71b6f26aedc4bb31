/// NumPy arrays: any bytes are read or refused with an Error. The reader maps files, so the bytes go through one in
/// memory.
#include "base/error.h"
#include "base/npy.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const int file = memfd_create("npy_fuzz", MFD_CLOEXEC);
  static const std::string path = "/proc/self/fd/" + std::to_string(file);
  if (file < 0 || ftruncate(file, 0) != 0 || pwrite(file, data, size, 0) != static_cast<ssize_t>(size)) {
    std::perror("memfd");
    std::abort();
  }
  try {
    const nearfar::NpyArray array(path);
    unsigned sum = 0;
    for (const std::byte one : array.bytes()) sum += std::to_integer<unsigned>(one);
    if (array.bytes().size() != static_cast<std::size_t>(array.size()) * nearfar::npy_item_size(array.type()))
      std::abort();
    if (nearfar::converted<double>(array).size() != static_cast<std::size_t>(array.size())) std::abort();
    static_cast<void>(nearfar::converted<float>(array));
    static_cast<void>(nearfar::converted<std::int64_t>(array));
    asm volatile("" ::"r"(sum));  // every byte is read, whatever the optimiser thinks
  } catch (const nearfar::Error&) {
  }
  return 0;
}
