#include "host/plugin_libraries.h"

#include "base/error.h"
#include "base/files.h"
#include "base/text.h"

#include <dlfcn.h>

#include <algorithm>
#include <array>
#include <cstdlib>

namespace nearfar {
namespace {

namespace fs = std::filesystem;

constexpr std::array<std::string_view, 14> kHostLibraries{"libtorch.so",
                                                          "libtorch_cpu.so",
                                                          "libc10.so",
                                                          "libstdc++.so.6",
                                                          "libgcc_s.so.1",
                                                          "libc.so.6",
                                                          "libm.so.6",
                                                          "libdl.so.2",
                                                          "librt.so.1",
                                                          "libpthread.so.0",
                                                          "libutil.so.1",
                                                          "libmvec.so.1",
                                                          "ld-linux-x86-64.so.2",
                                                          "ld-linux-aarch64.so.1"};

bool is_there(const fs::path& file) {
  std::error_code failure;
  return fs::exists(file, failure);
}

bool in_folders(const std::string& folders, const std::string& name, const fs::path& origin) {
  for (std::string folder : split(folders, ':')) {
    folder = replace_all(replace_all(folder, "${ORIGIN}", origin.string()), "$ORIGIN", origin.string());
    if (!folder.empty() && is_there(fs::path(folder) / name)) return true;
  }
  return false;
}

/// The cache is a list of names and paths, each ended by a NUL.
bool in_system_cache(const std::string& name) {
  static const std::string cache = [] {
    try {
      return read_file("/etc/ld.so.cache");
    } catch (const Error&) {
      return std::string();  // a system without one: its folders are looked into
    }
  }();
  return cache.find('\0' + name + '\0') != std::string::npos;
}

}  // namespace

bool is_host_library(std::string_view name) { return std::ranges::find(kHostLibraries, name) != kHostLibraries.end(); }

bool library_is_there(const std::string& name, const ElfFile& plugin, const fs::path& plugin_folder) {
  if (name.find('/') != std::string::npos) return is_there(name);
  if (void* const loaded = ::dlopen(name.c_str(), RTLD_LAZY | RTLD_NOLOAD)) {
    ::dlclose(loaded);
    return true;
  }
  const char* const environment = std::getenv("LD_LIBRARY_PATH");
  return in_folders(plugin.run_path, name, plugin_folder) ||
         in_folders(environment != nullptr ? environment : "", name, plugin_folder) || in_system_cache(name) ||
         in_folders("/lib:/usr/lib:/lib64:/usr/lib64", name, plugin_folder);
}

bool symbol_is_there(const ElfSymbol& symbol) {
  ::dlerror();
  const void* const found = symbol.version.empty()
                                ? ::dlsym(RTLD_DEFAULT, symbol.name.c_str())
                                : ::dlvsym(RTLD_DEFAULT, symbol.name.c_str(), symbol.version.c_str());
  return found != nullptr || ::dlerror() == nullptr;  // a name may have the address 0
}

}  // namespace nearfar
