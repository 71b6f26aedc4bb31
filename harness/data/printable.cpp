#include "data/printable.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdint>

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

/// The code point of a character of character_length() `length`.
char32_t code_point(std::string_view text, std::size_t length) {
  auto code = static_cast<char32_t>(static_cast<unsigned char>(text[0]));
  if (length > 1) code &= 0x7fU >> length;
  for (std::size_t i = 1; i < length; ++i) code = code << 6 | (static_cast<unsigned char>(text[i]) & 0x3fU);
  return code;
}

/// Spaces that are not U+0020, characters without a width, and those that turn the direction of text: a name with one
/// looks like another name.
bool is_invisible(char32_t code) {
  struct Range {
    char32_t first, last;
  };
  constexpr std::array<Range, 11> kInvisible{{{0xa0, 0xa0},
                                              {0xad, 0xad},
                                              {0x34f, 0x34f},
                                              {0x61c, 0x61c},
                                              {0x115f, 0x1160},
                                              {0x1680, 0x1680},
                                              {0x180b, 0x180f},
                                              {0x2000, 0x200f},
                                              {0x2028, 0x202f},
                                              {0x205f, 0x206f},
                                              {0xfff9, 0xfffb}}};
  return code == 0x3000 || code == 0xfeff || (code >= 0xe0000 && code <= 0xe007f) ||
         std::any_of(kInvisible.begin(), kInvisible.end(),
                     [code](const Range& range) { return code >= range.first && code <= range.last; });
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
    } else if (const char32_t code = code_point(text, length); is_invisible(code)) {
      piece = fmt::format("\\u{:04x}", static_cast<std::uint32_t>(code));
    }
    if (result.size() + piece.size() > most) return result + "…";
    result += piece;
    text.remove_prefix(taken);
  }
  return result;
}

}  // namespace nearfar
