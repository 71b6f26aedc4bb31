#pragma once
/// What files hold, by hashes of their bytes that are remembered from look to look: the first one reads every file, a
/// later one asks the file system only whether size, times and inode are still those of the last reading.
/// One index a folder, in contents_folder(); an index is a cache: without it everything is right, and slow. Torch-free.
#include "base/files.h"
#include "base/hash.h"
#include "data/open_beneath.h"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace nearfar {

/// $NEARFAR_CACHE/contents, else beneath $XDG_CACHE_HOME/nearfar, else ~/.cache/nearfar. Empty where none is set.
std::filesystem::path contents_folder();

/// What is known of the files beneath one folder. One owner; find() is safe from any thread while nothing is remembered
/// or saved; several processes may have it open.
class ContentsIndex {
 public:
  /// Of `folder`, by its canonical path. A damaged index, or one of another version, counts as empty.
  explicit ContentsIndex(const std::filesystem::path& folder);

  /// nullopt unless the file was last read when it was as `now` says.
  std::optional<Hash128> find(std::string_view name, const FileStat& now) const;
  /// Is not kept where the file changed less than two seconds ago: a file system's clock ticks slowly, so that it might
  /// change once more and look as before.
  void remember(std::string_view name, const FileStat& as_read, const Hash128& content);
  /// Writes what is new, together with what other processes have written since. A folder that cannot be written is
  /// warned of once; never fails.
  void save();

 private:
  struct Entry {
    Hash128 name, stat, content;
  };
  void open();
  std::span<const Entry> entries() const;
  const Entry* find(const Hash128& name) const;

  std::filesystem::path file_;  ///< empty: nowhere to keep it
  std::optional<MappedFile> map_;
  std::unordered_map<std::uint64_t, Entry> added_;  ///< by name.low
};

/// How the reading of many files goes.
struct ContentsRequest {
  std::function<std::string_view(std::int64_t)> name;  ///< of file i, beneath the folder; called by any thread
  std::span<const FileStat> files;                     ///< as they are now
  int threads = 1;                                     ///< that read
  /// Told before the first file and then about ten times a second while files are read; false = stop, which is
  /// Error(interrupted). What was read until then is remembered.
  std::function<bool(std::int64_t done, std::int64_t total)> progress;
  /// A file that is there and cannot be read, the first in order first. May throw; else the file has the hash 0.
  std::function<void(std::int64_t index, const std::string& why)> failed;
};

/// Hashes of all files, 0 where there is none. Safe from any thread.
std::vector<Hash128> contents_of(const BeneathFolder& folder, const ContentsRequest& request);

}  // namespace nearfar
