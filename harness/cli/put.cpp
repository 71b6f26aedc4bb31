#include "cli/put.h"

#include "base/files.h"

#include <fmt/core.h>

namespace nearfar {

void put(const std::string& target, const std::string& content) {
  if (target == "-")
    fmt::print("{}", content);
  else
    write_file_atomic(target, content);
}

}  // namespace nearfar
