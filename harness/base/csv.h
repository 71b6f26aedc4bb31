#pragma once
/// Comma-separated values as RFC 4180 says. Pure functions.
#include "base/text.h"

#include <string>

namespace nearfar {

/// Quoted only where it must be, quotes doubled.
inline std::string csv_field(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  return "\"" + replace_all(text, "\"", "\"\"") + "\"";
}

}  // namespace nearfar
