#pragma once
/// Untrusted text in messages. Pure function.
#include <string>
#include <string_view>

namespace nearfar {

/// At most `most` bytes of `text`, then "…". Control bytes and what is not UTF-8 become \xNN, invisible
/// characters (a byte order mark, no-break and zero-width spaces) \uNNNN: messages go to terminals and into JSON.
std::string printable(std::string_view text, std::size_t most = 120);

}  // namespace nearfar
