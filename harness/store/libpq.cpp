#include "store/libpq.h"

#include "base/error.h"

#include <dlfcn.h>
#include <fmt/core.h>

namespace nearfar {

void* Libpq::symbol(const char* name) {
  static void* const library = dlopen("libpq.so.5", RTLD_NOW | RTLD_LOCAL);
  if (void* const found = library != nullptr ? dlsym(library, name) : nullptr) return found;
  throw Error(ErrorKind::store,
              fmt::format("a PostgreSQL server is named, but its client library, version 14 or newer, is not on this "
                          "machine: {}; install it (Debian package libpq5), or name a file with --db",
                          dlerror()));
}

const Libpq& libpq() {
  static const Libpq library;
  return library;
}

}  // namespace nearfar
