#pragma once
/// Private to the command line: where a form of a report goes.
#include "base/files.h"

#include <fmt/format.h>

#include <string>

namespace nearfar {

/// `target`: a file, or "-" for stdout. Error(data) where the file cannot be written.
inline void put_form(const std::string& target, const std::string& content) {
  if (target == "-")
    fmt::print("{}", content);
  else
    write_file_atomic(target, content);
}

}  // namespace nearfar
