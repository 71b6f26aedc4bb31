#include "serve/log_tail.h"

#include "base/descriptor.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>

namespace nearfar {

std::optional<std::string> log_tail(const std::filesystem::path& file) {
  const bool climbs =
      std::any_of(file.begin(), file.end(), [](const std::filesystem::path& part) { return part == ".."; });
  if (file.extension() != ".log" || !file.is_absolute() || climbs) return std::nullopt;
  const Descriptor descriptor(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  struct stat info {};
  if (!descriptor || ::fstat(descriptor.get(), &info) != 0 || !S_ISREG(info.st_mode)) return std::nullopt;
  const off_t start = std::max<off_t>(0, info.st_size - static_cast<off_t>(kLogBytes));
  std::string text(kLogBytes, '\0');
  const ssize_t got = ::pread(descriptor.get(), text.data(), text.size(), start);
  if (got < 0) return std::nullopt;
  text.resize(static_cast<std::size_t>(got));
  if (start > 0) text.erase(0, text.find('\n') == std::string::npos ? 0 : text.find('\n') + 1);
  std::ranges::replace(text, '\0', ' ');
  return text;
}

}  // namespace nearfar
