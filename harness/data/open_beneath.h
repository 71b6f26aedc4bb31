#pragma once
/// Files named by untrusted lists, opened beneath a folder and nowhere else. Safe from any thread. Torch-free.
#include "base/descriptor.h"

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace nearfar {

/// What is wrong with a name before any file is looked at: empty, absolute, "..", NUL, longer than 4096 bytes. "" if
/// nothing is.
std::string_view name_problem(std::string_view name);

/// What tells a file from what it was before without reading it. Times in nanoseconds since 1970.
struct FileStat {
  std::int64_t size = -1;  ///< bytes; -1 = no such regular file, and then the rest is 0
  std::int64_t modified = 0, changed = 0;
  std::uint64_t inode = 0;

  bool operator==(const FileStat&) const = default;
};

/// A folder that names are resolved in. Absolute names, "..", NUL and symbolic links that leave the folder are refused;
/// with `follow_links` links may lead anywhere (data folders are often put together from links). The folder itself may
/// be a link. The kernel decides (openat2 with RESOLVE_BENEATH); where it cannot, names are walked component by
/// component.
class BeneathFolder {
 public:
  /// No folder: every read is Error(data). For sets that come from a packed copy alone.
  BeneathFolder() = default;
  /// Error(data) if it is no folder.
  explicit BeneathFolder(const std::filesystem::path& folder, bool follow_links = false);

  const std::filesystem::path& path() const { return folder_; }
  /// Error(data) naming the file and the reason: not there, not a regular file, leaves the folder (and then how to
  /// allow links). The memory of `bytes` is used again. Files above 1 GiB are refused. Never blocks on a FIFO.
  void read(std::string_view name, std::vector<std::uint8_t>& bytes) const;
  /// Of the file itself, also where `name` is a link. Error(data) for a name that is refused.
  FileStat stat(std::string_view name) const;

 private:
  friend class FileStats;
  int open(const std::string& name, int flags) const;
  std::filesystem::path folder_;
  Descriptor descriptor_;
  bool follow_links_ = false;
};

/// BeneathFolder::stat for very many names: the folders they lie in stay open (at most 256 of them). For one thread;
/// `folder` must outlive it.
class FileStats {
 public:
  explicit FileStats(const BeneathFolder& folder) : folder_(folder) {}
  FileStat stat(std::string_view name);

 private:
  int open_folder(std::string_view name);
  void close_all();
  const BeneathFolder& folder_;
  std::unordered_map<std::string, Descriptor> open_;  ///< not open: a folder that is not there
  std::string last_name_;
  int last_ = -1;
  std::int64_t hits_ = 0, misses_ = 0;  ///< since the folders were last closed
};

/// A whole regular file of at most `most_bytes`, in one read; any other kind of file (folder, device, FIFO) is
/// Error(data) at once.
std::string read_regular_file(const std::filesystem::path& file, std::uint64_t most_bytes);

/// For tests: false = go the way of kernels without openat2.
void use_openat2(bool wanted);

}  // namespace nearfar
