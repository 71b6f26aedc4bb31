#pragma once
/// Files written whole or not at all, files mapped, temporary names and folders. All failures are Error(data) naming
/// the path and the reason. Safe from any thread.
#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

namespace nearfar {

std::string read_file(const std::filesystem::path& file);

/// temporary_name() + fsync + rename + fsync(folder): readers see the old file or the new one. Makes the folder if
/// needed. A process that is killed in between leaves its temporary: files are small, and looking for such in a folder
/// of thousands at every write would cost more than they do.
void write_file_atomic(const std::filesystem::path& file, std::string_view content);

/// A name beside `path` for what becomes `path` by a rename: ".NAME.RANDOM.tmp", hidden, so never taken for a data set
/// or a result, and random, so never another process's, on whatever host or in whatever container that runs.
std::filesystem::path temporary_name(const std::filesystem::path& path);

/// Removes temporaries of `path` (files and folders) that nothing has been written to for a day: their process was
/// killed. One that cannot be removed stays; never fails.
void remove_stale_temporaries(const std::filesystem::path& path);

/// Flushes an open file to the disk: true, also on a file system or a kind of file that cannot (EINVAL), where all that
/// can be done is done; false with errno if it failed.
bool sync_file(int descriptor);

/// Makes the renames in a folder last. As far as the file system can: what was renamed is in place anyway.
void sync_folder(const std::filesystem::path& folder);

/// A read-only memory map of a whole file. Movable.
class MappedFile {
 public:
  explicit MappedFile(const std::filesystem::path& file);
  ~MappedFile();
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  std::span<const std::byte> bytes() const { return {data_, size_}; }

 private:
  const std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

/// A fresh folder under the system's temporary folder, removed with everything in it by the destructor.
class TempDir {
 public:
  TempDir();
  ~TempDir();
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace nearfar
