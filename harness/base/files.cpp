#include "base/files.h"

#include "base/descriptor.h"
#include "base/error.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>
#include <system_error>
#include <utility>
#include <vector>

namespace nearfar {
namespace {
namespace fs = std::filesystem;

[[noreturn]] void fail(const fs::path& path, std::string_view what) {
  throw Error(ErrorKind::data, fmt::format("{}: {}: {}", path.string(), what, std::strerror(errno)));
}

Descriptor open_file(const fs::path& path, int flags) {
  Descriptor opened(::open(path.c_str(), flags | O_CLOEXEC, 0644));
  if (!opened) fail(path, "cannot be opened");
  return opened;
}

fs::path parent_of(const fs::path& path) { return path.has_parent_path() ? path.parent_path() : fs::path("."); }

/// When something in it was last written: a folder's own time stands still while its files grow.
fs::file_time_type last_write(const fs::path& path) {
  fs::file_time_type latest = fs::last_write_time(path);
  if (!fs::is_directory(path)) return latest;
  for (const auto& entry : fs::recursive_directory_iterator(path)) latest = std::max(latest, entry.last_write_time());
  return latest;
}

void write_all(const Descriptor& out, const fs::path& path, std::string_view content) {
  while (!content.empty()) {
    const ssize_t n = ::write(out.get(), content.data(), content.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) fail(path, "writing failed");
    content.remove_prefix(static_cast<std::size_t>(n));
  }
  if (!sync_file(out.get())) fail(path, "fsync failed");
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
  const fs::path folder = parent_of(file);
  std::error_code code;
  fs::create_directories(folder, code);
  if (code) throw Error(ErrorKind::data, fmt::format("{}: folder cannot be made: {}", folder.string(), code.message()));
  const fs::path temporary = temporary_name(file);
  try {
    {
      const Descriptor out = open_file(temporary, O_WRONLY | O_CREAT | O_EXCL);
      write_all(out, temporary, content);
    }
    if (::rename(temporary.c_str(), file.c_str()) != 0) fail(file, "rename failed");
  } catch (...) {
    ::unlink(temporary.c_str());
    throw;
  }
  sync_folder(folder);
}

fs::path temporary_name(const fs::path& path) {
  std::uint64_t random = 0;
  if (::getrandom(&random, sizeof random, 0) != sizeof random) fail(path, "no random numbers for a temporary name");
  return path.parent_path() / fmt::format(".{}.{:016x}.tmp", path.filename().string(), random);
}

void remove_stale_temporaries(const fs::path& path) try {
  const std::string begin = fmt::format(".{}.", path.filename().string());
  constexpr std::string_view kEnd = ".tmp";
  const auto oldest = fs::file_time_type::clock::now() - std::chrono::hours(24);
  std::vector<fs::path> stale;
  for (const auto& entry : fs::directory_iterator(parent_of(path))) {
    const std::string name = entry.path().filename().string();
    if (name.size() <= begin.size() + kEnd.size() || !name.starts_with(begin) || !name.ends_with(kEnd)) continue;
    // ".a.b.RANDOM.tmp" is a temporary of "a.b", not of "a".
    if (name.find('.', begin.size()) != name.size() - kEnd.size()) continue;
    if (last_write(entry.path()) < oldest) stale.push_back(entry.path());
  }
  for (const fs::path& one : stale) fs::remove_all(one);
} catch (const fs::filesystem_error&) {
  // Others work in this folder too, and things vanish while we look: what is left is for the next time.
}

bool sync_file(int descriptor) { return ::fsync(descriptor) == 0 || errno == EINVAL; }

void sync_folder(const fs::path& folder) {
  const Descriptor opened(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (opened) ::fsync(opened.get());
}

MappedFile::MappedFile(const fs::path& file) {
  const Descriptor in = open_file(file, O_RDONLY);
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
