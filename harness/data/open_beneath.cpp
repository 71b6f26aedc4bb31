#include "data/open_beneath.h"

#include "base/descriptor.h"
#include "base/error.h"
#include "data/printable.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <utility>

namespace nearfar {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kLongestName = 4096;
constexpr std::uint64_t kLargestImageFile = std::uint64_t{1} << 30;
constexpr std::size_t kMostOpenFolders = 256;  ///< processes often may have 1024 files open
constexpr int kLeaves = -2;                    ///< instead of a descriptor: the name leads out of the folder

std::atomic<bool> have_openat2{true};

/// Component by component from `folder`, no symbolic link on the way: -1 with ELOOP where there is one.
int open_without_links(int folder, std::string_view name, int flags) {
  Descriptor at;
  int current = folder;
  while (true) {
    const std::size_t slash = name.find('/');
    const std::string part(name.substr(0, slash));
    const bool last = slash == std::string_view::npos || name.find_first_not_of('/', slash) == std::string_view::npos;
    if (last && slash == std::string_view::npos) {
      return ::openat(current, part.c_str(),
                      flags | O_NOFOLLOW);  // with O_PATH a link itself is opened: the caller sees no regular file
    }
    if (!part.empty()) {
      const int next = ::openat(current, part.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
      if (next < 0) {
        struct stat status {};
        const int reason = errno;
        const bool link =
            ::fstatat(current, part.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(status.st_mode);
        errno = link ? ELOOP : reason;
        return -1;
      }
      at = Descriptor(next);
      current = at.get();
    }
    if (last) {  // "name/" asks for a folder, which is never an image
      errno = ENOTDIR;
      return -1;
    }
    name.remove_prefix(slash + 1);
  }
}

/// Links are resolved first; what comes out must lie beneath the folder and is then walked without links, so that
/// nothing can be exchanged in between.
int open_resolved(int folder, const std::string& name, int flags) {
  const std::string here = fmt::format("/proc/self/fd/{}", folder);
  const std::unique_ptr<char, void (*)(void*)> top(::realpath(here.c_str(), nullptr), std::free);
  if (!top) return -1;
  const std::unique_ptr<char, void (*)(void*)> target(::realpath((here + "/" + name).c_str(), nullptr), std::free);
  if (!target) return -1;
  const std::string_view prefix = top.get(), whole = target.get();
  const bool root = prefix == "/";
  if (!root && (!whole.starts_with(prefix) || whole.size() <= prefix.size() || whole[prefix.size()] != '/'))
    return kLeaves;
  return open_without_links(folder, whole.substr(root ? 1 : prefix.size() + 1), flags);
}

int open_by_walking(int folder, const std::string& name, int flags) {
  const int fd = open_without_links(folder, name, flags);
  if (fd < 0 && errno != ELOOP) return fd;
  struct stat status {};
  if (fd >= 0 && (::fstat(fd, &status) != 0 || !S_ISLNK(status.st_mode))) return fd;
  if (fd >= 0) ::close(fd);
  return open_resolved(folder, name, flags);
}

int open_beneath(int folder, const std::string& name, int flags) {
  if (have_openat2.load(std::memory_order_relaxed)) {
    open_how how{};
    how.flags = static_cast<std::uint64_t>(flags);
    how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
    for (int attempt = 0; attempt < 8; ++attempt) {
      const auto fd = static_cast<int>(::syscall(SYS_openat2, folder, name.c_str(), &how, sizeof how));
      if (fd >= 0) return fd;
      if (errno != EAGAIN && errno != EINTR) break;  // EAGAIN: something was renamed while the kernel looked
    }
    // ENOSYS: kernel before 5.6; EPERM: a sandbox that does not know the call. EXDEV: also absolute links that stay
    // inside.
    if (errno == ENOSYS || errno == EPERM) have_openat2.store(false, std::memory_order_relaxed);
    if (errno == EXDEV) return open_resolved(folder, name, flags);
    if (errno != ENOSYS && errno != EPERM && errno != EAGAIN) return -1;
  }
  return open_by_walking(folder, name, flags);
}

[[noreturn]] void fail(const fs::path& file, std::string_view what) {
  throw Error(ErrorKind::data, fmt::format("{}: {}", printable(file.string(), 1000), what));
}

std::string open_problem(int reason) {
  if (reason == ENOENT || reason == ENOTDIR) return "there is no such file";
  return fmt::format("cannot be opened: {}", std::strerror(reason));
}

FileStat stat_of(const struct stat& status) {
  if (!S_ISREG(status.st_mode)) return {};
  const auto nanoseconds = [](const timespec& time) {
    return time.tv_sec * std::int64_t{1'000'000'000} + time.tv_nsec;
  };
  return {status.st_size, nanoseconds(status.st_mtim), nanoseconds(status.st_ctim), status.st_ino};
}

/// Reads what fstat promises; a file that shrinks meanwhile gives less.
template <class Bytes>
void read_whole(int fd, const fs::path& file, std::uint64_t most, Bytes& bytes) {
  struct stat status {};
  if (::fstat(fd, &status) != 0) fail(file, std::strerror(errno));
  if (!S_ISREG(status.st_mode)) fail(file, "is not a regular file");
  const auto size = static_cast<std::uint64_t>(status.st_size);
  if (size > most) fail(file, fmt::format("has {} bytes; the most that is read is {}", size, most));
  bytes.resize(size);
  std::size_t done = 0;
  while (done < size) {
    const ssize_t count = ::read(fd, bytes.data() + done, size - done);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail(file, fmt::format("reading failed: {}", std::strerror(errno)));
    if (count == 0) break;
    done += static_cast<std::size_t>(count);
  }
  bytes.resize(done);
}

}  // namespace

void use_openat2(bool wanted) { have_openat2.store(wanted); }

std::string_view name_problem(std::string_view name) {
  if (name.empty()) return "is empty";
  if (name.size() > kLongestName) return "is longer than 4096 bytes";
  if (name.front() == '/') return "is absolute, a path beneath the data folder expected";
  if (std::memchr(name.data(), '\0', name.size())) return "has a NUL byte";
  for (std::size_t at = name.find(".."); at != std::string_view::npos; at = name.find("..", at + 1)) {
    const bool begins = at == 0 || name[at - 1] == '/', ends = at + 2 == name.size() || name[at + 2] == '/';
    if (begins && ends) return "climbs with '..', a path beneath the data folder expected";
  }
  return "";
}

BeneathFolder::BeneathFolder(const fs::path& folder, bool follow_links)
    : folder_(folder),
      descriptor_(::open(folder.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)),
      follow_links_(follow_links) {
  if (!descriptor_) {
    fail(folder, errno == ENOTDIR  ? std::string("is not a folder")
                 : errno == ENOENT ? "there is no such folder"
                                   : open_problem(errno));
  }
}

/// A descriptor, or -1 with errno. Throws for names that are refused.
int BeneathFolder::open(const std::string& name, int flags) const {
  if (const std::string_view problem = name_problem(name); !problem.empty()) {
    throw Error(ErrorKind::data,
                fmt::format("'{}' (in {}) {}", printable(name), printable(folder_.string(), 1000), problem));
  }
  if (!descriptor_)
    throw Error(ErrorKind::data, fmt::format("'{}': the folder of the images is not there", printable(name)));
  const int fd = follow_links_ ? ::openat(descriptor_.get(), name.c_str(), flags | O_CLOEXEC)
                               : open_beneath(descriptor_.get(), name, flags | O_CLOEXEC);
  if (fd == kLeaves || (fd < 0 && errno == EXDEV)) {
    fail(folder_ / name,
         fmt::format("is a symbolic link, or behind one, that leaves {}; set data.follow_links=true if that is meant",
                     printable(folder_.string(), 1000)));
  }
  return fd;
}

void BeneathFolder::read(std::string_view name, std::vector<std::uint8_t>& bytes) const {
  // O_NONBLOCK: opening a FIFO must not wait for a writer. It means nothing for regular files.
  const Descriptor file(open(std::string(name), O_RDONLY | O_NONBLOCK | O_NOCTTY));
  if (!file) fail(folder_ / name, open_problem(errno));
  read_whole(file.get(), folder_ / name, kLargestImageFile, bytes);
}

FileStat BeneathFolder::stat(std::string_view name) const {
  const Descriptor file(open(std::string(name), O_PATH));
  if (!file) {
    if (errno == ENOENT || errno == ENOTDIR || errno == ELOOP || errno == ENAMETOOLONG || errno == EACCES) return {};
    fail(folder_ / name, open_problem(errno));
  }
  struct stat status {};
  return ::fstat(file.get(), &status) == 0 ? stat_of(status) : FileStat{};
}

/// A descriptor, or -1 where there is none to be had.
int FileStats::open_folder(std::string_view name) {
  if (!open_.empty() && name == last_name_) {
    ++hits_;
    return last_;
  }
  const std::string key(name);
  auto found = open_.find(key);
  if (found != open_.end()) {
    ++hits_;
  } else {
    ++misses_;
    if (open_.size() >= kMostOpenFolders) {
      // Sorted lists are done with the old folders. Shuffled ones are not: there, opening others in turn would cost
      // more than it saves.
      if (hits_ < 4 * misses_) return -1;
      close_all();
    }
    found = open_.emplace(key, Descriptor(folder_.open(key, O_PATH | O_DIRECTORY))).first;
  }
  last_name_ = key;
  return last_ = found->second.get();
}

void FileStats::close_all() {
  open_.clear();
  hits_ = misses_ = 0;
}

FileStat FileStats::stat(std::string_view name) {
  const std::size_t slash = name.rfind('/');
  if (slash == std::string_view::npos || slash + 1 == name.size() || !name_problem(name).empty())
    return folder_.stat(name);
  const int parent = open_folder(name.substr(0, slash));
  if (parent < 0) return folder_.stat(name);  // which says why
  struct stat status {};
  const std::string base(name.substr(slash + 1));
  if (::fstatat(parent, base.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0)
    return errno == ENOENT ? FileStat{} : folder_.stat(name);
  return S_ISLNK(status.st_mode) ? folder_.stat(name) : stat_of(status);
}

std::string read_regular_file(const fs::path& path, std::uint64_t most_bytes) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
  if (!file) fail(path, open_problem(errno));
  std::string bytes;
  read_whole(file.get(), path, most_bytes, bytes);
  return bytes;
}

}  // namespace nearfar
