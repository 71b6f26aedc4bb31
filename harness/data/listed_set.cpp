#include "data/listed_set.h"

#include "base/error.h"
#include "base/hash.h"
#include "data/class_folders.h"
#include "data/pack.h"
#include "data/printable.h"
#include "data/selection.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

namespace nearfar {
namespace {

namespace fs = std::filesystem;

bool is_there(const fs::path& path) {
  std::error_code ignored;
  return fs::exists(path, ignored);
}

const DataRoot& root_named(const Benchmark& benchmark, const std::string& name) {
  const auto found = std::find_if(benchmark.roots.begin(), benchmark.roots.end(),
                                  [&](const DataRoot& root) { return root.name == name; });
  if (found == benchmark.roots.end())
    throw Error(ErrorKind::internal, fmt::format("the root '{}' passed validation and is not there", name));
  return *found;
}

/// 32 hex digits of what is added. SHA-256: lists come from strangers, and who can choose paths must not find two lists
/// of one name.
class ListHash {
 public:
  explicit ListHash(const std::string& preprocess_id) { text(preprocess_id); }
  void text(std::string_view value) {
    number(static_cast<std::int64_t>(value.size()));
    buffer_ += value;
    if (buffer_.size() >= kChunk) flush();
  }
  /// Little-endian on every machine.
  void number(std::int64_t value) {
    auto bits = static_cast<std::uint64_t>(value);
    for (int i = 0; i < 8; ++i, bits >>= 8U) buffer_ += static_cast<char>(bits & 0xffU);
  }
  std::string hex() {
    flush();
    return hash_.hex().substr(0, 32);
  }

 private:
  static constexpr std::size_t kChunk = std::size_t{1} << 16;
  void flush() {
    hash_.add(buffer_);
    buffer_.clear();
  }
  Sha256 hash_;
  std::string buffer_;
};

/// docs/decisions/0005: classes and sizes on top of what names the packed copy.
std::string hash_of_set(const ListedSet& set) {
  ListHash hash(set.list_hash);
  for (std::size_t i = 0; i < set.sizes.size(); ++i) {
    hash.number(set.info.labels[i]);
    hash.number(set.sizes[i]);
  }
  return hash.hex();
}

ImageList read_list(const Benchmark& benchmark, const SetSpec& spec, const SourceSpec& source,
                    const fs::path& list_file, const LoadOptions& options) {
  if (!is_there(list_file)) {
    const std::string& fix = root_named(benchmark, source.root).fix;
    throw Error(ErrorKind::data,
                fmt::format("{}: there is no such {}; set '{}' of benchmark '{}' needs it ({}){}{}", list_file.string(),
                            source.type == SourceType::list ? "image list" : "folder", spec.name, benchmark.name,
                            spec.where, fix.empty() ? "" : "; ", fix));
  }
  if (source.type == SourceType::list) return read_image_list(list_file);
  return list_class_folders(list_file, source.folders, options.follow_links);
}

/// The folder of the images, and how large each file is; with OnUnreadable::fail all must be there.
void stat_files(const Benchmark& benchmark, const SourceSpec& source, const fs::path& folder,
                const LoadOptions& options, ListedSet& set) {
  if (!is_there(folder)) {
    const std::string& fix = root_named(benchmark, source.root).fix;
    throw Error(ErrorKind::data,
                fmt::format("{}: there is no such folder; the images of set '{}' of benchmark '{}' lie there{}{}",
                            folder.string(), set.info.name, benchmark.name, fix.empty() ? "" : "; ", fix));
  }
  set.folder = BeneathFolder(folder, options.follow_links);
  set.sizes.reserve(set.picks.size());
  std::int64_t first_missing = -1;
  FileSizes sizes(set.folder);
  for (std::int64_t i = 0; i < set.info.count; ++i) {
    try {
      set.sizes.push_back(sizes.size(set.path(i)));
    } catch (const Error& error) {
      throw Error(error.kind(), fmt::format("{}: {}", set.where(i), error.what()));
    }
    if (set.sizes.back() >= 0) continue;
    if (set.info.missing++ == 0) first_missing = i;
  }
  if (first_missing < 0 || options.on_unreadable == OnUnreadable::skip) return;
  const std::string& fix = root_named(benchmark, source.root).fix;
  throw Error(
      ErrorKind::data,
      fmt::format("{}: {} is not there; set '{}' of benchmark '{}' misses {} of {} files{}{}; or set "
                  "data.on_unreadable=\"skip\", "
                  "which every result will then say",
                  set.where(first_missing), printable((folder / set.path(first_missing)).string(), 1000), set.info.name,
                  benchmark.name, set.info.missing, set.info.count, fix.empty() ? "" : "; ", fix));
}

[[noreturn]] void fail_label(const Benchmark& benchmark, const ListedSet& set, const SourceSpec& source,
                             std::int64_t line, std::int64_t label) {
  const auto classes = static_cast<std::int64_t>(benchmark.classes.size());
  if (source.type == SourceType::folders) {
    throw Error(ErrorKind::data,
                label < 0 ? fmt::format("{}: '{}' lies beside the class folders; in set '{}' every image needs a class",
                                        set.list_file.string(), printable(set.list.path(line)), set.info.name)
                          : fmt::format("{}: has more class folders than the {} classes of benchmark '{}'; name them "
                                        "in 'folders' of [source.{}]",
                                        set.list_file.string(), classes, benchmark.name, source.name));
  }
  throw Error(ErrorKind::data,
              fmt::format("{}:{}: the label {} of '{}' is no class of benchmark '{}', which has the classes 0 … {}",
                          set.list_file.string(), line + 1, label, printable(set.list.path(line)), benchmark.name,
                          classes - 1));
}

/// From a packed copy if there is one; the originals are then not looked at and may be gone.
bool take_packed(const Benchmark& benchmark, const LoadOptions& options, ListedSet& set) {
  const std::optional<PackedSet> packed =
      PackedSet::find(packed_folder(benchmark, options), set.list_hash, preprocess_id(set.preprocess));
  if (!packed) return false;
  const auto sizes = packed->file_sizes();
  if (static_cast<std::int64_t>(sizes.size()) != set.info.count) {
    throw Error(ErrorKind::data,
                fmt::format("the packed copy of set '{}' (in {}) has {} images, its list {}; remove it and pack again",
                            set.info.name, packed_folder(benchmark, options).string(), sizes.size(), set.info.count));
  }
  set.sizes.assign(sizes.begin(), sizes.end());
  return true;
}

}  // namespace

std::string hash_of_list(const Preprocess& preprocess, const ImageList& list, std::span<const std::int64_t> picks) {
  ListHash hash(preprocess_id(preprocess));
  for (const std::int64_t pick : picks) {
    hash.text(list.path(pick));
    hash.number(list.label(pick));
  }
  return hash.hex();
}

std::string ListedSet::where(std::int64_t index) const {
  return lines ? fmt::format("{}:{}", list_file.string(), picks[static_cast<std::size_t>(index)] + 1)
               : list_file.string();
}

fs::path find_root(const Benchmark& benchmark, const std::string& root_name, const LoadOptions& options) {
  const DataRoot& root = root_named(benchmark, root_name);
  const std::string inner = root.in_data_root.empty() ? root.name : root.in_data_root;
  const auto beneath = [&](const fs::path& folder) { return inner == "." ? folder : folder / inner; };
  std::vector<fs::path> places;
  if (!options.data_root.empty()) {
    places.push_back(beneath(options.data_root));
  } else {
    if (const char* data = std::getenv("NEARFAR_DATA"); data && *data) places.push_back(beneath(data));
    places.push_back(root.folder.is_absolute() ? root.folder : benchmark.base / root.folder);
  }
  std::string looked;
  for (const fs::path& place : places) {
    std::error_code ignored;
    if (fs::is_directory(place, ignored)) return place;
    looked += (looked.empty() ? "" : ", ") + place.string();
  }
  const std::string meant = inner == "." ? "the folder itself" : fmt::format("a folder that contains '{}'", inner);
  throw Error(ErrorKind::data, fmt::format("the data folder '{}' of benchmark '{}' ({}) is missing; looked for: {}; "
                                           "{}{}set data.root (or NEARFAR_DATA) to {}",
                                           root.name, benchmark.name, root.where, looked, root.fix,
                                           root.fix.empty() ? "" : ", or ", meant));
}

ListedSet open_listed_set(const Benchmark& benchmark, const std::string& set_name, const LoadOptions& options) {
  const SetSpec& spec = benchmark.set(set_name);
  const SourceSpec& source = benchmark.source(spec.source);
  NEARFAR_ASSERT(is_listed(source));
  const fs::path root = find_root(benchmark, source.root, options);
  const fs::path folder = source.folder.empty() ? root : root / source.folder;
  ListedSet set;
  set.lines = source.type == SourceType::list;
  set.list_file = set.lines ? root / source.list_file : folder;
  set.preprocess = spec.preprocess;
  set.list = read_list(benchmark, spec, source, set.list_file, options);

  const auto label = [&](std::int64_t line) { return set.list.label(line); };
  Selection selection = select_images(benchmark, spec, set.list.count(), label, options);
  set.picks = std::move(selection.picks);
  set.info = {.name = spec.name,
              .group = spec.group,
              .count = static_cast<std::int64_t>(set.picks.size()),
              .channels = 3,
              .height = spec.preprocess.height,
              .width = spec.preprocess.width,
              .available = selection.available,
              .expected = spec.count,
              .missing = 0,
              .labels = {},
              .hash = {}};
  set.info.labels = classes_of(benchmark, spec, set.picks, label, [&](std::int64_t line, std::int64_t value) {
    fail_label(benchmark, set, source, line, value);
  });
  set.list_hash = hash_of_list(set.preprocess, set.list, set.picks);
  set.packed = take_packed(benchmark, options, set);
  if (!set.packed) stat_files(benchmark, source, folder, options, set);
  set.info.hash = hash_of_set(set);
  return set;
}

}  // namespace nearfar
