#include "host/elf_bytes.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace nearfar {
namespace {

constexpr std::uint64_t kMostBytes = 64u << 20;  // of one table; a plugin's largest has kilobytes
constexpr const char* kGive = "give the .so as nearfar_add_plugin() builds it";

[[noreturn]] void fault(std::string found, std::string wanted, std::string fix) {
  throw ElfFaultFound{{std::move(found), std::move(wanted), std::move(fix)}};
}

[[noreturn]] void cannot_open(const std::filesystem::path& file, int number) {
  std::error_code failure;
  if (number == ELOOP) fault("is a loop of symbolic links", "expected a file at the end of the link", kGive);
  if (number == ENOENT && std::filesystem::is_symlink(file, failure))
    fault("no such file: it is a symbolic link that leads nowhere", "expected a file at the end of the link", kGive);
  if (number == ENOENT || number == ENOTDIR) fault("no such file", "expected a plugin's library", kGive);
  fault("cannot be opened: " + std::generic_category().message(number), "expected a file that this user may read",
        "correct its permissions");
}

void check_kind(mode_t mode) {
  if (S_ISREG(mode)) return;
  const char* kind = S_ISDIR(mode) ? "a folder" : S_ISFIFO(mode) ? "a pipe" : S_ISSOCK(mode) ? "a socket" : "a device";
  fault(fmt::format("is {}", kind), "expected a regular file", kGive);
}

}  // namespace

void damaged(std::string_view what) {
  fault(fmt::format("has damaged ELF headers: {}", what), "expected a library as the linker wrote it",
        "build it again, or copy it again");
}

ElfBytes::ElfBytes(const std::filesystem::path& file) {
  struct stat status {};
  if (::stat(file.c_str(), &status) != 0) cannot_open(file, errno);
  check_kind(status.st_mode);
  // Not waiting: another may have put a pipe there meanwhile.
  descriptor_ = ::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (descriptor_ < 0) cannot_open(file, errno);
  if (::fstat(descriptor_, &status) != 0 || !S_ISREG(status.st_mode)) {
    ::close(descriptor_);
    fault("was replaced while it was read", "expected a regular file", "try again");
  }
  size_ = static_cast<std::uint64_t>(status.st_size);
}

ElfBytes::~ElfBytes() { ::close(descriptor_); }

std::string ElfBytes::bytes(std::uint64_t offset, std::uint64_t count, std::string_view what) const {
  if (!holds(offset, count)) {
    fault(fmt::format("is truncated: {} bytes, {} would be {} bytes at {}", size_, what, count, offset),
          "expected the whole library", "copy it again");
  }
  if (count > kMostBytes) damaged(fmt::format("{} has {} bytes", what, count));
  std::string result(static_cast<std::size_t>(count), '\0');
  std::size_t done = 0;
  while (done < result.size()) {
    const ssize_t got =
        ::pread(descriptor_, result.data() + done, result.size() - done, static_cast<off_t>(offset + done));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) fault("ended while it was read", "expected a file that stays as it is", "try again");
    done += static_cast<std::size_t>(got);
  }
  return result;
}

}  // namespace nearfar
