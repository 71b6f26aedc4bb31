#pragma once
/// How large the terminal is. Safe from any thread.
#include <cstddef>
#include <optional>

namespace nearfar {

struct TerminalSize {
  std::size_t rows = 24, columns = 80;
};

/// Of the terminal that a file descriptor is; nullopt: it is none, or does not say.
std::optional<TerminalSize> terminal_size(int descriptor);

}  // namespace nearfar
