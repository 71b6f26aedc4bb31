#include "bundle/archive.h"

#include "base/descriptor.h"
#include "base/error.h"
#include "base/files.h"
#include "base/text.h"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <set>

namespace nearfar {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMostNameBytes = 400, kBlock = 1 << 16;
constexpr std::uint64_t kFreeBytes = 64ULL << 20;  // below this no ratio is looked at

struct Free {
  void operator()(archive* handle) const { archive_free(handle); }
  void operator()(archive_entry* entry) const { archive_entry_free(entry); }
};
using Archive = std::unique_ptr<archive, Free>;
using Entry = std::unique_ptr<archive_entry, Free>;

std::string reason(archive* handle) {
  const char* text = archive_error_string(handle);
  return text != nullptr ? text : "no reason given";
}

[[noreturn]] void refuse(const fs::path& file, const std::string& why) {
  throw Error(ErrorKind::data, fmt::format("{}: {}", file.string(), why));
}

void require(int result, archive* handle, const fs::path& file, const char* doing) {
  if (result != ARCHIVE_OK) refuse(file, fmt::format("{}: {}", doing, reason(handle)));
}

Descriptor open_or_throw(const fs::path& file, int flags) {
  Descriptor opened(::open(file.c_str(), flags | O_CLOEXEC | O_NOFOLLOW, 0644));
  if (!opened) refuse(file, std::strerror(errno));
  return opened;
}

// ---- packing

void put_file(archive* out, const fs::path& target, const ArchiveFile& file) {
  const Descriptor in(::open(file.from.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat found {};
  if (!in || ::fstat(in.get(), &found) != 0) refuse(file.from, std::strerror(errno));
  if (!S_ISREG(found.st_mode)) refuse(file.from, "is no regular file");
  const Entry entry(archive_entry_new());
  archive_entry_set_pathname(entry.get(), file.name.c_str());
  archive_entry_set_filetype(entry.get(), AE_IFREG);
  archive_entry_set_perm(entry.get(), 0644);
  archive_entry_set_size(entry.get(), found.st_size);
  archive_entry_set_mtime(entry.get(), 0, 0);
  require(archive_write_header(out, entry.get()), out, target, "cannot be written");
  std::array<char, kBlock> block;
  off_t left = found.st_size;
  while (left > 0) {
    const ssize_t got = ::read(in.get(), block.data(), block.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0 || got > left) refuse(file.from, "changed or could not be read while it was packed; run this again");
    if (archive_write_data(out, block.data(), static_cast<std::size_t>(got)) != got)
      refuse(target, "cannot be written: " + reason(out));
    left -= got;
  }
}

void put_all(const Descriptor& to, const fs::path& target, const std::vector<ArchiveFile>& files) {
  const Archive out(archive_write_new());
  require(archive_write_set_format_pax_restricted(out.get()), out.get(), target, "no tar");
  require(archive_write_add_filter_zstd(out.get()), out.get(), target, "no zstd");
  require(archive_write_set_filter_option(out.get(), "zstd", "compression-level", "9"), out.get(), target, "no zstd");
  require(archive_write_open_fd(out.get(), to.get()), out.get(), target, "cannot be written");
  for (const ArchiveFile& file : files) put_file(out.get(), target, file);
  require(archive_write_close(out.get()), out.get(), target, "cannot be written");
}

// ---- unpacking

class Unpacking {
 public:
  Unpacking(const fs::path& file, const fs::path& folder, const UnpackLimits& limits)
      : file_(file), folder_(folder), limits_(limits), in_(archive_read_new()) {
    std::error_code error;
    const std::uint64_t size = fs::file_size(file, error);
    if (error) refuse(file, fmt::format("cannot be read: {}; expected a bundle (.tar.zst)", error.message()));
    most_bytes_ = std::min(limits.bytes, kFreeBytes + size * limits.ratio);
  }

  std::vector<std::string> run() {
    require(archive_read_support_filter_zstd(in_.get()), in_.get(), file_, "no zstd");
    require(archive_read_support_format_tar(in_.get()), in_.get(), file_, "no tar");
    if (archive_read_open_filename(in_.get(), file_.c_str(), kBlock) != ARCHIVE_OK) damaged();
    for (;;) {
      archive_entry* entry = nullptr;
      const int result = archive_read_next_header(in_.get(), &entry);
      if (result == ARCHIVE_EOF) break;
      if (result != ARCHIVE_OK) damaged();  // warnings, too: of names that are not ours
      if (++entries_ > limits_.entries) refuse(file_, fmt::format("has more than {} entries", limits_.entries));
      take(entry);
    }
    return {names_.begin(), names_.end()};
  }

 private:
  [[noreturn]] void damaged() const {
    refuse(file_, fmt::format("is no tar archive in zstd, or is damaged: {}; expected what `nearfar bundle` writes",
                              reason(in_.get())));
  }
  [[noreturn]] void refuse_entry(const std::string& name, const std::string& why) const {
    std::string shown = name.substr(0, 80);
    std::ranges::replace_if(
        shown, [](char c) { return c < 0x20 || c == 0x7f; }, '?');
    refuse(file_, fmt::format("entry '{}' {}; no bundle has such an entry, so this one is not trusted", shown, why));
  }

  void take(archive_entry* entry) {
    const char* raw = archive_entry_pathname(entry);
    std::string name = raw != nullptr ? raw : "";
    const auto type = archive_entry_filetype(entry);
    const bool is_folder = type == AE_IFDIR;
    if (is_folder && name.ends_with('/')) name.pop_back();  // as tar programs write folders
    if (!is_archive_name(name)) refuse_entry(name, "has a name that leads elsewhere or is not plain");
    if (archive_entry_hardlink(entry) != nullptr || archive_entry_symlink(entry) != nullptr || type == AE_IFLNK)
      refuse_entry(name, "is a link");
    if (is_folder) return;  // made where files need them
    if (type != AE_IFREG) refuse_entry(name, "is neither a file nor a folder");
    if (archive_entry_sparse_count(entry) > 0) refuse_entry(name, "is a sparse file");
    if (!names_.insert(name).second) refuse_entry(name, "is there twice");
    const std::int64_t size = archive_entry_size(entry);
    if (size < 0 || static_cast<std::uint64_t>(size) > most_bytes_ - bytes_) too_large();
    write(name);
  }

  [[noreturn]] void too_large() const {
    refuse(file_, fmt::format("would unpack to more than {} ({} bytes for every one of it, at most {}): not a bundle",
                              bytes_text(static_cast<std::int64_t>(most_bytes_)), limits_.ratio,
                              bytes_text(static_cast<std::int64_t>(limits_.bytes))));
  }

  /// Folders on the way are ours alone: nothing but folders and files is ever made, so no name leads through a link.
  void write(const std::string& name) {
    const fs::path path = folder_ / name;
    std::error_code error;
    fs::create_directories(path.parent_path(), error);
    if (error) refuse_entry(name, fmt::format("cannot be unpacked: {}", error.message()));
    const Descriptor out = open_or_throw(path, O_WRONLY | O_CREAT | O_EXCL);
    std::array<char, kBlock> block;
    for (;;) {
      const la_ssize_t got = archive_read_data(in_.get(), block.data(), block.size());
      if (got == 0) break;
      if (got < 0) damaged();
      bytes_ += static_cast<std::uint64_t>(got);
      if (bytes_ > most_bytes_) too_large();
      for (la_ssize_t done = 0; done < got;) {
        const ssize_t put = ::write(out.get(), block.data() + done, static_cast<std::size_t>(got - done));
        if (put < 0 && errno == EINTR) continue;
        if (put < 0) refuse(path, fmt::format("cannot be written: {}", std::strerror(errno)));
        done += put;
      }
    }
  }

  const fs::path& file_;
  const fs::path& folder_;
  const UnpackLimits& limits_;
  Archive in_;
  std::uint64_t most_bytes_ = 0, bytes_ = 0;
  std::int64_t entries_ = 0;
  std::set<std::string> names_;
};

}  // namespace

bool is_archive_name(std::string_view name) {
  if (name.empty() || name.size() > kMostNameBytes) return false;
  const auto plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
           c == '.' || c == '/';
  };
  if (!std::ranges::all_of(name, plain)) return false;
  return std::ranges::none_of(split(name, '/'),
                              [](const std::string& part) { return part.empty() || part == "." || part == ".."; });
}

void pack_archive(const fs::path& target, std::vector<ArchiveFile> files) {
  std::ranges::sort(files, {}, &ArchiveFile::name);
  for (const ArchiveFile& file : files) {
    if (!is_archive_name(file.name))
      refuse(target, fmt::format("'{}' is no name for a file of a bundle: letters, digits and . _ - / are", file.name));
  }
  std::error_code error;
  if (!target.parent_path().empty()) fs::create_directories(target.parent_path(), error);
  const fs::path temporary = temporary_name(target);
  try {
    const Descriptor to = open_or_throw(temporary, O_WRONLY | O_CREAT | O_EXCL);
    put_all(to, target, files);
    if (!sync_file(to.get()) || ::rename(temporary.c_str(), target.c_str()) != 0)
      refuse(target, fmt::format("cannot be written: {}", std::strerror(errno)));
  } catch (...) {
    ::unlink(temporary.c_str());
    throw;
  }
  sync_folder(target.parent_path().empty() ? fs::path(".") : target.parent_path());
}

std::vector<std::string> unpack_archive(const fs::path& archive, const fs::path& folder, const UnpackLimits& limits) {
  return Unpacking(archive, folder, limits).run();
}

}  // namespace nearfar
