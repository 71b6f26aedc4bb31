#pragma once
/// The images of a set that comes from a list or from class folders, before decoding: used by image_set, image_stream,
/// pack and check.
#include "base/error.h"
#include "base/hash.h"
#include "data/image_list.h"
#include "data/image_set.h"
#include "data/open_beneath.h"

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace nearfar {

/// A file whose contents are not those of ListedSet::contents any more: the set is another one now. Of kind data.
class FileChanged : public Error {
 public:
  using Error::Error;
};

struct ListedSet {
  SetInfo info;  ///< complete: labels of the benchmark, hash
  Preprocess preprocess;
  ImageList list;                   ///< everything listed
  std::vector<std::int64_t> picks;  ///< [info.count] positions in `list`, ascending: the selection, after the limit
  BeneathFolder folder;  ///< paths of the list are relative to it; no folder where `packed`: the originals may be gone
  std::filesystem::path list_file;  ///< of class folders: the folder
  bool lines = true;                ///< list_file is a list with lines
  std::string list_hash;  ///< 32 hex digits over preprocess id, and path and label of every pick: names a packed copy
  /// [info.count], size -1 = not there (skip only). From a packed copy if there is one: size and time of change alone.
  std::vector<FileStat> files;
  std::vector<Hash128> contents;  ///< [info.count], 0 = cannot be read (skip only); empty with DataIdentity::stat
  bool packed = false;            ///< a complete packed copy is there

  std::string_view path(std::int64_t index) const { return list.path(picks[static_cast<std::size_t>(index)]); }
  /// "LIST:LINE" (lists; lines from 1) or "FOLDER", of image `index` of the set.
  std::string where(std::int64_t index) const;
  /// The file of image `index`, for a message.
  std::string file(std::int64_t index) const;
  /// Its bytes into `bytes`, and their hash. Error(data) as BeneathFolder::read; FileChanged. Safe from any thread.
  Hash128 read(std::int64_t index, std::vector<std::uint8_t>& bytes) const;
  /// There is no such file (a name that is refused: nobody knows).
  bool is_missing(std::int64_t index) const;
};

/// ListedSet::list_hash: the first half of a SHA-256.
std::string hash_of_list(const Preprocess& preprocess, const ImageList& list, std::span<const std::int64_t> picks);

/// Errors as load_set: root or list missing, a broken line, a wrong count, labels outside the benchmark's classes in id
/// and csid sets (LIST:LINE), and, with OnUnreadable::fail, files that are missing (the first by name and how many) or
/// cannot be read. Error(interrupted): LoadOptions::reading said so.
ListedSet open_listed_set(const Benchmark& benchmark, const std::string& set_name, const LoadOptions& options);

/// A packed copy is found by its list. Where its originals are still there, those that look other than when they were
/// packed are read: Error(data) if one has other contents (DataIdentity::stat: another size).
void check_packed(const Benchmark& benchmark, const ListedSet& set, const LoadOptions& options);

/// Where a root lies (image_set.h says how it is looked for). Error(data) with all places that were tried and what to
/// do.
std::filesystem::path find_root(const Benchmark& benchmark, const std::string& root_name, const LoadOptions& options);

}  // namespace nearfar
