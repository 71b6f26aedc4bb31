#pragma once
/// Comma-separated values as RFC 4180 says. Pure functions.
#include "base/text.h"

#include <string>
#include <string_view>

namespace nearfar {

/// Quoted only where it must be, quotes doubled. A spreadsheet would compute a text that begins like a formula: an
/// apostrophe before it makes it text there. Not for numbers.
inline std::string csv_field(std::string text) {
  if (!text.empty() && std::string_view("=+-@\t\r").find(text.front()) != std::string_view::npos)
    text.insert(0, 1, '\'');
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  return "\"" + replace_all(text, "\"", "\"\"") + "\"";
}

}  // namespace nearfar
