#pragma once
/// Image sets in memory and the manifest of a benchmark. Reads files, keeps no state, safe from any thread. Torch-free.
///
/// Where files are looked for: with `data_root` set, DATA_ROOT/ROOT and nowhere else; otherwise $NEARFAR_DATA/ROOT if
/// that folder exists, else the folder that the benchmark names. ROOT is DataRoot::in_data_root ("." = the data root
/// itself).
#include "data/benchmark.h"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace nearfar {

/// What is done with an image that is missing or cannot be decoded.
enum class OnUnreadable {
  fail,  ///< Error(data)
  skip,  ///< it is left out, and every result says how many were
};

/// What of a list's or a folder's files is part of a set's hash, besides their paths and labels.
enum class DataIdentity {
  contents,  ///< every byte: a first look reads all files, later ones what has changed (file_contents.h)
  stat,      ///< their sizes alone: a file exchanged for another of equal size goes unnoticed, so results are flagged
};

using ReadingProgress = std::function<bool(std::string_view set, std::int64_t done, std::int64_t total)>;

struct LoadOptions {
  std::filesystem::path data_root;  ///< key `data.root`
  std::int64_t limit = 0;           ///< at most so many images a set, the classes of the source in equal parts; 0 = all
  bool allow_count_mismatch = false;
  OnUnreadable on_unreadable = OnUnreadable::fail;  ///< key `data.on_unreadable`
  bool follow_links = false;                        ///< key `data.follow_links`: symbolic links may leave the data root
  std::filesystem::path packed;  ///< key `data.packed`: folder of packed copies (pack.h); empty = the default one
  bool originals = false;        ///< no packed copy: training crops are cut from the files themselves
  int threads = 1;               ///< that decode, or read for the first time
  DataIdentity identity = DataIdentity::contents;  ///< key `data.identity`
  /// Told about ten times a second while the files of `set` are read for the first time; false = stop, which is
  /// Error(interrupted). Called by the caller's thread. May be empty.
  ReadingProgress reading = {};
};

/// A set without its pixels.
struct SetInfo {
  std::string name, group;
  std::int64_t count = 0, channels = 0, height = 0, width = 0;
  std::int64_t available = 0;        ///< images before the limit
  std::int64_t expected = 0;         ///< what the benchmark says; 0 = it does not
  std::int64_t missing = 0;          ///< files that are not there (only with OnUnreadable::skip, else an error)
  std::vector<std::int64_t> labels;  ///< [count] class of the benchmark; -1 in every set that is not id or csid
  /// Of id and csid sets of class folders that the benchmark has no names for: the folders in the order of their
  /// labels.
  std::vector<std::string> folders = {};
  /// 32 hex digits. Of files that hold all images (IDX, CIFAR): shape, pixels and labels. Of lists and folders:
  /// preprocessing, and path, label and contents (with DataIdentity::stat: size) of every file (docs/decisions/0011).
  std::string hash;
};

struct ImageSet {
  std::string name;
  std::int64_t count = 0, channels = 0, height = 0, width = 0;
  std::vector<std::uint8_t> pixels;  // [count, height, width, channels], row-major
  std::vector<std::int64_t> labels;  // [count] class of the benchmark; -1 in every set that is not id or csid
  std::vector<std::int64_t>
      indices;                  // [count] position in the source; of lists and folders: in the set as SetInfo has it
  std::string hash;             ///< as SetInfo::hash
  std::int64_t unreadable = 0;  ///< images of the set that were left out (only with OnUnreadable::skip); not in `count`
};

/// One set. Error(data) that names the file, what it has and what was expected, and what to do: missing or truncated
/// files, wrong magic or size, and a number of images other than the benchmark's (unless allowed; an empty set never
/// is).
ImageSet load_set(const Benchmark& benchmark, const std::string& set_name, const LoadOptions& options = {});
/// Several, in the order asked for; every source is decoded once.
std::vector<ImageSet> load_sets(const Benchmark& benchmark, const std::vector<std::string>& set_names,
                                const LoadOptions& options = {});

/// One set as SetInfo has it: nothing is decoded for lists and folders.
SetInfo describe_set(const Benchmark& benchmark, const std::string& set_name, const LoadOptions& options = {});

/// "" if a set's list or class folders are there at all, or the set comes from other sources; else what is missing, as
/// load_set would say. Whether every file is there is not looked at.
std::string absence_of(const Benchmark& benchmark, const std::string& set_name, const LoadOptions& options);

struct ManifestEntry {
  std::string name, group;
  std::int64_t count = 0;      ///< images after the limit
  std::int64_t available = 0;  ///< images before it
  std::int64_t expected = 0;   ///< what the benchmark says; 0 = it does not
  std::int64_t missing = 0;    ///< of `count`: files that are not there (only with OnUnreadable::skip)
  std::string hash;            ///< SetInfo::hash
};

/// What a benchmark's images are, here and now. Fashion-MNIST: well below a second.
struct Manifest {
  std::string hash;  ///< SHA-256 over class names, image shape, normalisation, protocols with csid sets, name and hash
                     ///< of every set
  bool count_mismatch = false;  ///< some set is not as large as the benchmark says (only with allow_count_mismatch)
  std::int64_t missing = 0;     ///< files of all sets that are not there (only with OnUnreadable::skip)
  std::vector<std::string> missing_classes = {};  ///< missing_classes_text() of train and test
  std::string class_order = {};                   ///< class_order_text()
  std::vector<ManifestEntry> sets;                ///< in the benchmark's order
};
Manifest read_manifest(const Benchmark& benchmark, const LoadOptions& options = {});
/// Of some sets only, in the order asked for: a run that needs no csid sets does not need their files.
Manifest read_manifest(const Benchmark& benchmark, const std::vector<std::string>& set_names,
                       const LoadOptions& options);
std::string manifest_hash(const Benchmark& benchmark, const LoadOptions& options = {});

}  // namespace nearfar
