#include "data/printable.h"

#include <fmt/format.h>

#include <algorithm>

namespace nearfar {
namespace {

/// Length of the UTF-8 character that `text` begins with (RFC 3629: no overlong forms, no surrogates), 0 if there is
/// none.
std::size_t character_length(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned first = byte(0);
  if (first < 0x80) return 1;
  const std::size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || text.size() < length) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0U) != 0x80U) return 0;
  }
  const bool overlong = (first == 0xe0 && byte(1) < 0xa0) || (first == 0xf0 && byte(1) < 0x90);
  const bool outside = (first == 0xed && byte(1) > 0x9f) || (first == 0xf4 && byte(1) > 0x8f);
  return overlong || outside ? 0 : length;
}

}  // namespace

std::string printable(std::string_view text, std::size_t most) {
  std::string result;
  while (!text.empty()) {
    const std::size_t length = character_length(text);
    const auto first = static_cast<unsigned char>(text.front());
    // C1 controls (U+0080…U+009F) steer some terminals as well.
    const bool control = length == 1 ? first < 0x20 || first == 0x7f
                                     : length == 2 && first == 0xc2 && static_cast<unsigned char>(text[1]) < 0xa0;
    const std::size_t taken = std::max<std::size_t>(length, 1);
    std::string piece(text.substr(0, taken));
    if (length == 0 || control) {
      piece.clear();
      for (const char c : text.substr(0, taken)) piece += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    }
    if (result.size() + piece.size() > most) return result + "…";
    result += piece;
    text.remove_prefix(taken);
  }
  return result;
}

}  // namespace nearfar
