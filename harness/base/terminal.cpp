#include "base/terminal.h"

#include <sys/ioctl.h>
#include <unistd.h>

namespace nearfar {

std::optional<TerminalSize> terminal_size(int descriptor) {
  winsize size{};
  if (::isatty(descriptor) == 0 || ::ioctl(descriptor, TIOCGWINSZ, &size) != 0 || size.ws_row == 0 || size.ws_col == 0)
    return std::nullopt;
  return TerminalSize{size.ws_row, size.ws_col};
}

}  // namespace nearfar
