#include "store/faults.h"

#include "base/error.h"
#include "base/text.h"

#include <fmt/core.h>

#include <charconv>
#include <csignal>
#include <cstdlib>
#include <string>

namespace nearfar {
namespace {

std::uint64_t number_of(std::string_view word, std::string_view value) {
  const bool hex = value.starts_with("0x");
  const std::string_view digits = hex ? value.substr(2) : value;
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number, hex ? 16 : 10);
  if (error != std::errc{} || end != digits.data() + digits.size() || number == 0) {
    throw Error(
        ErrorKind::config,
        fmt::format("NEARFAR_FAULT: '{}' needs a number above 0, has '{}'; unset it: it is for tests", word, value));
  }
  return number;
}

}  // namespace

Faults::Faults(std::string_view text) {
  for (const std::string& entry : split(text, ',')) {
    if (entry.empty()) continue;
    const std::size_t equals = entry.find('=');
    const std::string word = entry.substr(0, equals),
                      value = equals == std::string::npos ? "" : entry.substr(equals + 1);
    if (word == "kill-before-write") {
      kill_before_ = number_of(word, value);
    } else if (word == "kill-after-write") {
      kill_after_ = number_of(word, value);
    } else if (word == "file-system") {
      file_system_type_ = number_of(word, value);
    } else {
      throw Error(ErrorKind::config,
                  fmt::format("NEARFAR_FAULT: unknown fault '{}'; expected kill-before-write=K, kill-after-write=K or "
                              "file-system=TYPE; unset it: it is for tests",
                              word));
    }
  }
}

void Faults::before_write() {
  ++writes_;
  if (writes_ == kill_before_) std::raise(SIGKILL);
}

void Faults::after_write() const {
  if (writes_ == kill_after_) std::raise(SIGKILL);
}

Faults& faults() {
  static Faults result(std::getenv("NEARFAR_FAULT") == nullptr ? "" : std::getenv("NEARFAR_FAULT"));
  return result;
}

}  // namespace nearfar
