#include "data/pack_io.h"

#include "base/error.h"
#include "base/files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace nearfar {

namespace fs = std::filesystem;

void fail_io(const fs::path& file, std::string_view what, int error) {
  const bool full = error == ENOSPC || error == EDQUOT || error == EFBIG;
  throw Error(ErrorKind::data, fmt::format("{}: {}: {}{}", file.string(), what, std::generic_category().message(error),
                                           full ? "; make room, or set data.packed (or NEARFAR_PACKED) to a folder of "
                                                  "another disk; the same command then "
                                                  "goes on after the last finished part"
                                                : ""));
}

void write_at(int descriptor, const fs::path& file, std::span<const std::byte> bytes, std::int64_t offset) {
  while (!bytes.empty()) {
    const ssize_t written = ::pwrite(descriptor, bytes.data(), bytes.size(), offset);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) fail_io(file, "writing failed", errno);
    bytes = bytes.subspan(static_cast<std::size_t>(written));
    offset += written;
  }
}

/// How many bytes were there.
std::size_t read_at(int descriptor, const fs::path& file, std::span<std::byte> bytes, std::int64_t offset) {
  std::size_t total = 0;
  while (total < bytes.size()) {
    const ssize_t got =
        ::pread(descriptor, bytes.data() + total, bytes.size() - total, offset + static_cast<std::int64_t>(total));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail_io(file, "reading failed", errno);
    if (got == 0) break;
    total += static_cast<std::size_t>(got);
  }
  return total;
}

void sync(int descriptor, const fs::path& file) {
  if (!sync_file(descriptor)) fail_io(file, "cannot be flushed to the disk", errno);
}

std::int64_t size_of(int descriptor, const fs::path& file) {
  struct stat status {};
  if (::fstat(descriptor, &status) != 0) fail_io(file, "cannot be examined", errno);
  return status.st_size;
}

int open_to_write(const fs::path& file) {
  const int descriptor = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
  if (descriptor < 0) fail_io(file, "cannot be opened", errno);
  return descriptor;
}

void set_size(int descriptor, const fs::path& file, std::int64_t size) {
  if (::ftruncate(descriptor, size) != 0) fail_io(file, "its size cannot be set", errno);
}

Descriptor open_locked(const fs::path& file) {
  while (true) {
    Descriptor opened(open_to_write(file));
    if (::flock(opened.get(), LOCK_EX | LOCK_NB) != 0) {
      if (errno == EINTR) continue;
      if (errno != EWOULDBLOCK) fail_io(file, "cannot be locked", errno);
      throw Error(ErrorKind::data,
                  fmt::format("{}: another process packs this set now; wait until it has ended", file.string()));
    }
    // The one that had the lock before may have finished and removed the file: then ours has no name, and the next
    // process would not see it.
    struct stat ours {
    }, named{};
    if (::fstat(opened.get(), &ours) == 0 && ::stat(file.c_str(), &named) == 0 && ours.st_ino == named.st_ino &&
        ours.st_dev == named.st_dev) {
      return opened;
    }
  }
}

}  // namespace nearfar
