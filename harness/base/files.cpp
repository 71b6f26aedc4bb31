#include "base/files.h"

#include "base/error.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>
#include <utility>

namespace nearfar {
namespace {
namespace fs = std::filesystem;

[[noreturn]] void fail(const fs::path& path, std::string_view what) {
  throw Error(ErrorKind::data, fmt::format("{}: {}: {}", path.string(), what, std::strerror(errno)));
}

/// A file descriptor that closes itself.
class Descriptor {
 public:
  Descriptor(const fs::path& path, int flags) : fd_(::open(path.c_str(), flags | O_CLOEXEC, 0644)) {
    if (fd_ < 0) fail(path, "cannot be opened");
  }
  ~Descriptor() { ::close(fd_); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }

 private:
  int fd_;
};

void write_all(const Descriptor& out, const fs::path& path, std::string_view content) {
  while (!content.empty()) {
    const ssize_t n = ::write(out.get(), content.data(), content.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) fail(path, "writing failed");
    content.remove_prefix(static_cast<std::size_t>(n));
  }
  if (::fsync(out.get()) != 0) fail(path, "fsync failed");
}
}  // namespace

std::string read_file(const fs::path& file) {
  std::error_code code;
  if (fs::is_directory(file, code))
    throw Error(ErrorKind::data, fmt::format("{}: is a folder, expected a file", file.string()));
  std::ifstream in(file, std::ios::binary);
  if (!in) fail(file, "cannot be opened");
  std::ostringstream content;
  content << in.rdbuf();
  if (in.bad()) fail(file, "reading failed");
  return std::move(content).str();
}

void write_file_atomic(const fs::path& file, std::string_view content) {
  static std::atomic<unsigned> counter{0};
  const fs::path folder = file.has_parent_path() ? file.parent_path() : fs::path(".");
  std::error_code code;
  fs::create_directories(folder, code);
  if (code) throw Error(ErrorKind::data, fmt::format("{}: folder cannot be made: {}", folder.string(), code.message()));
  fs::path temporary = file;
  temporary += fmt::format(".tmp-{}-{}", ::getpid(), counter++);
  try {
    {
      const Descriptor out(temporary, O_WRONLY | O_CREAT | O_TRUNC);
      write_all(out, temporary, content);
    }
    if (::rename(temporary.c_str(), file.c_str()) != 0) fail(file, "rename failed");
  } catch (...) {
    ::unlink(temporary.c_str());
    throw;
  }
  const Descriptor directory(folder, O_RDONLY | O_DIRECTORY);
  ::fsync(directory.get());  // some file systems refuse to sync folders; the rename itself has happened
}

MappedFile::MappedFile(const fs::path& file) {
  const Descriptor in(file, O_RDONLY);
  struct stat status {};
  if (::fstat(in.get(), &status) != 0) fail(file, "cannot be examined");
  if (!S_ISREG(status.st_mode)) throw Error(ErrorKind::data, fmt::format("{}: is not a regular file", file.string()));
  size_ = static_cast<std::size_t>(status.st_size);
  if (size_ == 0) return;
  void* address = ::mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, in.get(), 0);
  if (address == MAP_FAILED) fail(file, "cannot be mapped");
  data_ = static_cast<const std::byte*>(address);
}

MappedFile::~MappedFile() {
  if (data_ != nullptr)
    ::munmap(const_cast<std::byte*>(data_), size_);  // munmap takes a mutable pointer and writes nothing
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  return *this;
}

TempDir::TempDir() {
  std::string pattern = (fs::temp_directory_path() / "nearfar-XXXXXX").string();
  if (::mkdtemp(pattern.data()) == nullptr) fail(pattern, "temporary folder cannot be made");
  path_ = pattern;
}

TempDir::~TempDir() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

}  // namespace nearfar
