#include "data/listed_set.h"

#include "base/error.h"
#include "base/hash.h"
#include "base/locations.h"
#include "base/set_name.h"
#include "base/text.h"
#include "data/class_folders.h"
#include "data/file_contents.h"
#include "data/in_chunks.h"
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

/// The first ten names.
std::string shown(const std::vector<std::string>& names) {
  constexpr std::size_t kMost = 10;
  std::string text;
  for (std::size_t i = 0; i < std::min(names.size(), kMost); ++i) text += (i > 0 ? ", " : "") + printable(names[i]);
  return text + (names.size() > kMost ? fmt::format(", … {} in all", names.size()) : "");
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

/// docs/decisions/0011: classes, and contents or sizes, on top of what names the packed copy.
std::string hash_of_set(const ListedSet& set) {
  ListHash hash(set.list_hash);
  if (!set.contents.empty()) hash.text("contents");
  for (std::size_t i = 0; i < set.files.size(); ++i) {
    hash.number(set.info.labels[i]);
    if (set.contents.empty()) {
      hash.number(set.files[i].size);
    } else {
      hash.number(static_cast<std::int64_t>(set.contents[i].low));
      hash.number(static_cast<std::int64_t>(set.contents[i].high));
    }
  }
  return hash.hex();
}

/// Folder names that are the benchmark's class names are numbered by it, those of a benchmark without names by their
/// order. Empty: all of them, in natural order.
std::vector<ClassFolder> class_folders(const Benchmark& benchmark, const SetSpec& spec, const SourceSpec& source,
                                       const fs::path& folder, SetInfo& info) {
  std::vector<ClassFolder> classes;
  const auto add = [&](const std::string& name, std::size_t label) {
    classes.push_back({name, static_cast<std::int32_t>(label)});
  };
  for (std::size_t i = 0; i < source.folders.size(); ++i) add(source.folders[i], i);
  if (!classes.empty() || !is_labelled_group(spec.group) || !spec.classes.empty()) return classes;
  if (const std::string beside = image_beside(folder); !beside.empty()) {
    throw Error(ErrorKind::data,
                fmt::format("{}: '{}' lies beside the class folders; in set '{}' every image needs a class",
                            folder.string(), printable(beside), spec.name));
  }
  const std::vector<std::string> found = class_folder_names(folder);
  if (!benchmark.classes_named) {
    if (found.size() == benchmark.classes.size()) {
      info.folders = found;
      return {};
    }
    throw Error(
        ErrorKind::data,
        fmt::format("{}: has {} class folders ({}), benchmark '{}' has {} classes without names, so nobody knows "
                    "which folder is which class; name them in 'classes' instead of class_count, or in 'folders' "
                    "of [source.{}]",
                    folder.string(), found.size(), shown(found), benchmark.name, benchmark.classes.size(),
                    source.name));
  }
  std::vector<std::string> unknown;
  for (const std::string& name : found) {
    if (std::find(benchmark.classes.begin(), benchmark.classes.end(), name) == benchmark.classes.end())
      unknown.push_back(name);
  }
  if (!unknown.empty() || found.empty()) {
    throw Error(
        ErrorKind::data,
        fmt::format("{}: its class folders ({}) are not named as the classes of benchmark '{}' ({}): {}; rename "
                    "them, or name the folder of each class in 'folders' of [source.{}], in the order of "
                    "'classes'",
                    folder.string(), shown(found), benchmark.name, shown(benchmark.classes),
                    found.empty() ? std::string("there is none") : fmt::format("no class is named {}", shown(unknown)),
                    source.name));
  }
  for (std::size_t label = 0; label < benchmark.classes.size(); ++label) {
    if (std::find(found.begin(), found.end(), benchmark.classes[label]) != found.end())
      add(benchmark.classes[label], label);
  }
  return classes;
}

[[noreturn]] void fail_absent(const Benchmark& benchmark, const SetSpec& spec, const SourceSpec& source,
                              const fs::path& list_file) {
  const std::string& fix = root_named(benchmark, source.root).fix;
  throw Error(ErrorKind::data,
              fmt::format("{}: there is no such {}; set '{}' of benchmark '{}' needs it ({}){}{}", list_file.string(),
                          source.type == SourceType::list ? "image list" : "folder", spec.name, benchmark.name,
                          spec.where, fix.empty() ? "" : "; ", fix));
}

/// The list, or the folder of class folders.
fs::path list_place(const Benchmark& benchmark, const SetSpec& spec, const SourceSpec& source,
                    const LoadOptions& options) {
  const fs::path root = find_root(benchmark, source.root, options);
  const fs::path place = source.type == SourceType::list ? root / source.list_file
                         : source.folder.empty()         ? root
                                                         : root / source.folder;
  if (!is_there(place)) fail_absent(benchmark, spec, source, place);
  return place;
}

ImageList read_list(const Benchmark& benchmark, const SetSpec& spec, const SourceSpec& source,
                    const fs::path& list_file, const LoadOptions& options, SetInfo& info) {
  if (source.type == SourceType::list) return read_image_list(list_file);
  return list_class_folders(list_file, class_folders(benchmark, spec, source, list_file, info), options.follow_links);
}

/// The folder of the images, and what the file system says of each file; with OnUnreadable::fail all must be there.
void stat_files(const Benchmark& benchmark, const SourceSpec& source, const fs::path& folder,
                const LoadOptions& options, ListedSet& set) {
  if (!is_there(folder)) {
    const std::string& fix = root_named(benchmark, source.root).fix;
    throw Error(ErrorKind::data,
                fmt::format("{}: there is no such folder; the images of set '{}' of benchmark '{}' lie there{}{}",
                            folder.string(), set.info.name, benchmark.name, fix.empty() ? "" : "; ", fix));
  }
  set.folder = BeneathFolder(folder, options.follow_links);
  set.files.resize(set.picks.size());
  in_chunks(set.info.count, [&](std::int64_t first, std::int64_t last) {
    FileStats stats(set.folder);
    for (std::int64_t i = first; i < last; ++i) {
      try {
        set.files[static_cast<std::size_t>(i)] = stats.stat(set.path(i));
      } catch (const Error& error) {
        throw Error(error.kind(), fmt::format("{}: {}", set.where(i), error.what()));
      }
    }
  });
  const auto is_missing = [](const FileStat& file) { return file.size < 0; };
  set.info.missing = std::count_if(set.files.begin(), set.files.end(), is_missing);
  const std::int64_t first_missing =
      set.info.missing == 0 ? -1 : std::find_if(set.files.begin(), set.files.end(), is_missing) - set.files.begin();
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
  const auto files = packed->files();
  if (static_cast<std::int64_t>(files.size()) != set.info.count) {
    throw Error(ErrorKind::data,
                fmt::format("the packed copy of set '{}' (in {}) has {} images, its list {}; remove it and pack again",
                            set.info.name, packed_folder(benchmark, options).string(), files.size(), set.info.count));
  }
  for (const PackedFile& one : files) {
    set.files.push_back({.size = one.size, .modified = one.modified});
    if (options.identity == DataIdentity::contents) set.contents.push_back(one.content);
  }
  return true;
}

std::vector<Hash128> read_contents(const ListedSet& set, const BeneathFolder& folder, std::span<const FileStat> files,
                                   const LoadOptions& options) {
  const auto progress = [&](std::int64_t done, std::int64_t total) {
    return !options.reading || options.reading(set.info.name, done, total);
  };
  const auto failed = [&](std::int64_t index, const std::string& why) {
    if (options.on_unreadable == OnUnreadable::fail)
      throw Error(ErrorKind::data, fmt::format("{}: {}", set.where(index), why));
  };
  return contents_of(folder, {.name = [&](std::int64_t index) { return set.path(index); },
                              .files = files,
                              .threads = options.threads,
                              .progress = progress,
                              .failed = failed});
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

std::string ListedSet::file(std::int64_t index) const {
  return printable((folder.path() / path(index)).string(), 1000);
}

Hash128 ListedSet::read(std::int64_t index, std::vector<std::uint8_t>& bytes) const {
  folder.read(path(index), bytes);
  const Hash128 content = xxh3_128(std::as_bytes(std::span(bytes)));
  if (contents.empty()) return content;
  const Hash128& planned = contents[static_cast<std::size_t>(index)];  // 0: could not be read then
  if (planned != Hash128{} && planned != content) {
    throw FileChanged(ErrorKind::data,
                      fmt::format("{}: {} was changed while the set was in use; run the same command again",
                                  where(index), file(index)));
  }
  return content;
}

bool ListedSet::is_missing(std::int64_t index) const {
  try {
    return folder.stat(path(index)).size < 0;
  } catch (const Error&) {
    return false;
  }
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
    std::error_code none;
    if (const fs::path own = beneath(fetched() / "data"); fs::is_directory(own, none)) places.push_back(own);
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

std::string absence_of(const Benchmark& benchmark, const std::string& set_name, const LoadOptions& options) {
  const SetSpec& spec = benchmark.set(set_name);
  const SourceSpec& source = benchmark.source(spec.source);
  if (!is_listed(source)) return "";
  try {
    list_place(benchmark, spec, source, options);
    return "";
  } catch (const Error& error) {
    return error.what();
  }
}

ListedSet open_listed_set(const Benchmark& benchmark, const std::string& set_name, const LoadOptions& options) {
  const SetSpec& spec = benchmark.set(set_name);
  const SourceSpec& source = benchmark.source(spec.source);
  NEARFAR_ASSERT(is_listed(source));
  const fs::path root = find_root(benchmark, source.root, options);
  const fs::path folder = source.folder.empty() ? root : root / source.folder;
  ListedSet set;
  set.lines = source.type == SourceType::list;
  set.list_file = list_place(benchmark, spec, source, options);
  set.preprocess = spec.preprocess;
  set.list = read_list(benchmark, spec, source, set.list_file, options, set.info);

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
              .folders = std::move(set.info.folders),
              .hash = {}};
  set.info.labels = classes_of(benchmark, spec, set.picks, label, [&](std::int64_t line, std::int64_t value) {
    fail_label(benchmark, set, source, line, value);
  });
  set.list_hash = hash_of_list(set.preprocess, set.list, set.picks);
  set.packed = !options.originals && take_packed(benchmark, options, set);
  if (!set.packed) {
    stat_files(benchmark, source, folder, options, set);
    if (options.identity == DataIdentity::contents) set.contents = read_contents(set, set.folder, set.files, options);
  }
  set.info.hash = hash_of_set(set);
  return set;
}

void check_packed(const Benchmark& benchmark, const ListedSet& set, const LoadOptions& options) {
  if (!set.packed) return;
  const SourceSpec& source = benchmark.source(benchmark.set(set.info.name).source);
  const fs::path root = find_root(benchmark, source.root, options);
  const fs::path originals = source.folder.empty() ? root : root / source.folder;
  std::error_code ignored;
  if (!fs::is_directory(originals, ignored)) return;
  const BeneathFolder folder(originals, options.follow_links);
  FileStats stats(folder);
  std::vector<FileStat> suspects(set.files.size());
  const auto is_new = [&](std::size_t i) { return suspects[i].size >= 0; };
  for (std::size_t i = 0; i < suspects.size(); ++i) {
    const FileStat now = stats.stat(set.path(static_cast<std::int64_t>(i)));
    if (now.size != set.files[i].size || now.modified != set.files[i].modified) suspects[i] = now;
  }
  std::vector<Hash128> contents;
  if (options.identity == DataIdentity::contents) contents = read_contents(set, folder, suspects, options);
  for (std::size_t i = 0; i < suspects.size(); ++i) {
    const bool same = contents.empty() ? suspects[i].size == set.files[i].size : contents[i] == set.contents[i];
    if (!is_new(i) || same) continue;
    const auto image = static_cast<std::int64_t>(i);
    throw Error(
        ErrorKind::data,
        fmt::format("{}: {} is not the file that was packed, so the packed copy {} of set '{}' has other images: "
                    "remove it and pack again (nearfar data pack), or set data.packed to another folder",
                    set.where(image), printable((originals / set.path(image)).string(), 1000),
                    (packed_folder(benchmark, options) / packed_name(set.list_hash)).string(), set.info.name));
  }
}

}  // namespace nearfar
