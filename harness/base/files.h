#pragma once
/// Files written whole or not at all, files mapped, temporary folders. All failures are Error(data) naming the path and
/// the reason.
#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

namespace nearfar {

std::string read_file(const std::filesystem::path& file);

/// temp name in the same folder + fsync + rename + fsync(folder): readers see the old file or the new one. Makes the
/// folder if needed.
void write_file_atomic(const std::filesystem::path& file, std::string_view content);

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
