#include "data/image_set.h"

#include "base/error.h"
#include "base/hash.h"
#include "data/readers.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <span>

namespace nearfar {
namespace {

namespace fs = std::filesystem;

bool is_folder(const fs::path& path) {
  std::error_code ignored;
  return fs::is_directory(path, ignored);
}

const DataRoot& root_of(const Benchmark& benchmark, const SourceSpec& source) {
  for (const DataRoot& root : benchmark.roots) {
    if (root.name == source.root) return root;
  }
  throw Error(ErrorKind::internal, "a source without a root passed validation");
}

/// The folder of a root, which must be there.
fs::path find_folder(const Benchmark& benchmark, const DataRoot& root, const LoadOptions& options) {
  std::vector<fs::path> places;
  if (!options.data_root.empty()) {
    places.push_back(options.data_root / root.name);
  } else {
    if (const char* data = std::getenv("NEARFAR_DATA"); data && *data) places.push_back(fs::path(data) / root.name);
    places.push_back(root.folder.is_absolute() ? root.folder : benchmark.base / root.folder);
  }
  std::string looked;
  for (const fs::path& place : places) {
    if (is_folder(place)) return place;
    looked += (looked.empty() ? "" : ", ") + place.string();
  }
  throw Error(
      ErrorKind::data,
      fmt::format("the data folder '{}' of benchmark '{}' ({}) is missing; looked for: {}; {}{}set data.root (or NEARFAR_DATA) to a folder "
                  "that contains '{}'",
                  root.name, benchmark.name, root.where, looked, root.fix, root.fix.empty() ? "" : ", or ", root.name));
}

SourceImages read_source_images(const Benchmark& benchmark, const SourceSpec& source, const LoadOptions& options) {
  if (source.type == SourceType::noise) {
    return make_noise(source.seed, source.size, benchmark.channels, benchmark.height, benchmark.width);
  }
  if (source.type == SourceType::shapes) {
    return make_shapes(source.pattern, source.seed, source.size, source.kinds, benchmark.channels, benchmark.height, benchmark.width);
  }
  const DataRoot& root = root_of(benchmark, source);
  const fs::path folder = find_folder(benchmark, root, options);
  SourceImages images = source.type == SourceType::idx
                            ? read_idx(folder / source.images_file, folder / source.labels_file, root.fix)
                            : read_mnist_csv(folder / source.images_file, benchmark.height, benchmark.width, root.fix);
  if (images.channels != benchmark.channels || images.height != benchmark.height || images.width != benchmark.width) {
    throw Error(ErrorKind::data,
                fmt::format("{}: images are {} x {} x {}, benchmark '{}' ({}) expects {} x {} x {}", (folder / source.images_file).string(),
                            images.channels, images.height, images.width, benchmark.name, benchmark.file.string(), benchmark.channels,
                            benchmark.height, benchmark.width));
  }
  return images;
}

/// One image that a set keeps: where it is, and the how-manieth of its class it is.
struct Pick {
  std::int64_t index, rank;
};

std::vector<Pick> select(const SetSpec& set, const SourceImages& images) {
  std::vector<Pick> picks;
  std::map<std::int64_t, std::int64_t> seen;
  for (std::int64_t index = 0; index < images.count; ++index) {
    const std::int64_t label = images.labels[static_cast<std::size_t>(index)];
    if (!set.classes.empty() && std::find(set.classes.begin(), set.classes.end(), label) == set.classes.end()) continue;
    const std::int64_t rank = seen[label]++ - set.skip_per_class;
    if (rank < 0 || (set.first_per_class && rank >= set.first_per_class)) continue;
    picks.push_back({index, rank});
  }
  return picks;
}

/// The lowest ranks first, so that a limit takes the classes in equal parts; then the source's order again.
void apply_limit(std::vector<Pick>& picks, std::int64_t limit) {
  if (limit <= 0 || static_cast<std::int64_t>(picks.size()) <= limit) return;
  std::stable_sort(picks.begin(), picks.end(), [](const Pick& a, const Pick& b) { return a.rank < b.rank; });
  picks.resize(static_cast<std::size_t>(limit));
  std::sort(picks.begin(), picks.end(), [](const Pick& a, const Pick& b) { return a.index < b.index; });
}

void check_count(const Benchmark& benchmark, const SetSpec& set, std::size_t found, const LoadOptions& options) {
  const bool fits = static_cast<std::int64_t>(found) == set.count;
  if (fits || (options.allow_count_mismatch && found > 0)) return;
  throw Error(ErrorKind::data,
              fmt::format("set '{}' of benchmark '{}' has {} images, {} expected ({}); the files are not the ones the benchmark was made "
                          "for{}",
                          set.name, benchmark.name, found, set.count, set.where,
                          found > 0 ? "; get those, or set data.allow_count_mismatch=true, which every result will then say" : ""));
}

std::int64_t class_of(const SetSpec& set, std::int64_t label) {
  if (set.group != "id" && set.group != "csid") return -1;
  return std::find(set.classes.begin(), set.classes.end(), label) - set.classes.begin();
}

std::string content_hash(const ImageSet& set) {
  const std::int64_t shape[] = {set.count, set.channels, set.height, set.width};
  const std::uint64_t start = xxh3(std::as_bytes(std::span(shape)));
  const std::uint64_t pixels = xxh3(std::as_bytes(std::span(set.pixels)), start);
  const std::uint64_t labels = xxh3(std::as_bytes(std::span(set.labels)), pixels);
  return fmt::format("{:016x}{:016x}", pixels, labels);
}

struct Selection {
  ImageSet images;
  std::int64_t available = 0;
};

Selection cut(const Benchmark& benchmark, const SetSpec& spec, const SourceImages& source, const LoadOptions& options) {
  std::vector<Pick> picks = select(spec, source);
  check_count(benchmark, spec, picks.size(), options);
  Selection result;
  result.available = static_cast<std::int64_t>(picks.size());
  apply_limit(picks, options.limit);
  ImageSet& set = result.images;
  set.name = spec.name;
  set.count = static_cast<std::int64_t>(picks.size());
  set.channels = source.channels;
  set.height = source.height;
  set.width = source.width;
  const std::int64_t size = source.channels * source.height * source.width;
  set.pixels.reserve(static_cast<std::size_t>(set.count * size));
  for (const Pick& pick : picks) {
    const auto first = source.pixels.begin() + pick.index * size;
    set.pixels.insert(set.pixels.end(), first, first + size);
    set.labels.push_back(class_of(spec, source.labels[static_cast<std::size_t>(pick.index)]));
    set.indices.push_back(pick.index);
  }
  set.hash = content_hash(set);
  return result;
}

/// Calls use(position in `names`, selection), source by source, so that only one decoded source is in memory at a time.
template <class Use>
void for_each_set(const Benchmark& benchmark, const std::vector<std::string>& names, const LoadOptions& options, Use use) {
  std::map<std::string, std::vector<std::size_t>> by_source;
  for (std::size_t i = 0; i < names.size(); ++i) by_source[benchmark.set(names[i]).source].push_back(i);
  for (const auto& [source_name, positions] : by_source) {
    const SourceImages source = read_source_images(benchmark, benchmark.source(source_name), options);
    for (const std::size_t position : positions) use(position, cut(benchmark, benchmark.set(names[position]), source, options));
  }
}

}  // namespace

ImageSet load_set(const Benchmark& benchmark, const std::string& set_name, const LoadOptions& options) {
  return std::move(load_sets(benchmark, {set_name}, options).front());
}

std::vector<ImageSet> load_sets(const Benchmark& benchmark, const std::vector<std::string>& set_names, const LoadOptions& options) {
  std::vector<ImageSet> sets(set_names.size());
  for_each_set(benchmark, set_names, options,
               [&](std::size_t position, Selection selection) { sets[position] = std::move(selection.images); });
  return sets;
}

Manifest read_manifest(const Benchmark& benchmark, const LoadOptions& options) {
  std::vector<std::string> names;
  for (const SetSpec& set : benchmark.sets) names.push_back(set.name);
  Manifest manifest;
  manifest.sets.resize(names.size());
  for_each_set(benchmark, names, options, [&](std::size_t position, const Selection& selection) {
    const SetSpec& spec = benchmark.sets[position];
    manifest.sets[position] = {spec.name, spec.group, selection.images.count, selection.available, spec.count, selection.images.hash};
    if (selection.available != spec.count) manifest.count_mismatch = true;
  });
  nlohmann::json contents = nlohmann::json::object();
  for (const ManifestEntry& entry : manifest.sets) contents[entry.name] = entry.hash;
  const nlohmann::json identity = {{"classes", benchmark.classes},
                                   {"shape", {benchmark.channels, benchmark.height, benchmark.width}},
                                   {"mean", benchmark.mean},
                                   {"std", benchmark.std},
                                   {"sets", contents}};
  manifest.hash = sha256(identity.dump());
  return manifest;
}

std::string manifest_hash(const Benchmark& benchmark, const LoadOptions& options) { return read_manifest(benchmark, options).hash; }

}  // namespace nearfar
