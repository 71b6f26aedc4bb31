/// Plugins' files: any bytes are read or refused, and what is read can be judged and described. The reader opens files,
/// so the bytes go through one in memory.
#include "host/plugin_file.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const int file = memfd_create("elf_fuzz", MFD_CLOEXEC);
  static const std::string path = "/proc/self/fd/" + std::to_string(file);
  if (file < 0 || ftruncate(file, 0) != 0 || pwrite(file, data, size, 0) != static_cast<ssize_t>(size)) {
    std::perror("memfd");
    std::abort();
  }
  const nearfar::PluginFile read = nearfar::read_plugin_file(path);
  if (read.fault.has_value() == read.note.has_value()) std::abort();  // one or the other
  if (read.note && nearfar::torch_range(read).text().empty()) std::abort();
  const auto fault = nearfar::plugin_fault(read, nearfar::this_host(false));
  if (fault && (fault->found.empty() || fault->wanted.empty() || fault->fix.empty())) std::abort();
  // The note alone, without the headers that must lead to it.
  const auto note = nearfar::read_note({reinterpret_cast<const char*>(data), size});
  if (const auto* parts = std::get_if<nearfar::PluginFault>(&note); parts != nullptr && parts->found.empty())
    std::abort();
  return 0;
}
