#include "data/image_set.h"

#include "base/error.h"
#include "base/hash.h"
#include "base/set_name.h"
#include "data/class_check.h"
#include "data/image_stream.h"
#include "data/listed_set.h"
#include "data/readers.h"
#include "data/selection.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <map>
#include <memory>
#include <span>

namespace nearfar {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kMostInMemory = std::int64_t{64} << 30;

const DataRoot& root_of(const Benchmark& benchmark, const SourceSpec& source) {
  for (const DataRoot& root : benchmark.roots) {
    if (root.name == source.root) return root;
  }
  throw Error(ErrorKind::internal, "a source without a root passed validation");
}

SourceImages read_files(const Benchmark& benchmark, const SourceSpec& source, const fs::path& folder) {
  const std::string& fix = root_of(benchmark, source).fix;
  if (source.type == SourceType::idx) return read_idx(folder / source.images_file, folder / source.labels_file, fix);
  if (source.type == SourceType::mnist_csv) {
    return read_mnist_csv(folder / source.images_file, benchmark.height, benchmark.width, fix);
  }
  std::vector<fs::path> batches;
  for (const std::string& name : source.batch_files) batches.push_back(folder / name);
  return read_cifar(batches, source.label_bytes, fix);
}

SourceImages read_source_images(const Benchmark& benchmark, const SourceSpec& source, const LoadOptions& options) {
  if (source.type == SourceType::noise) {
    return make_noise(source.seed, source.size, benchmark.channels, benchmark.height, benchmark.width);
  }
  if (source.type == SourceType::shapes) {
    return make_shapes(source.pattern, source.seed, source.size, source.kinds, benchmark.channels, benchmark.height,
                       benchmark.width);
  }
  const fs::path folder = find_root(benchmark, source.root, options);
  SourceImages images = read_files(benchmark, source, folder);
  const std::string& first_file = source.type == SourceType::cifar ? source.batch_files.front() : source.images_file;
  if (images.channels != benchmark.channels || images.height != benchmark.height || images.width != benchmark.width) {
    throw Error(ErrorKind::data, fmt::format("{}: images are {} x {} x {}, benchmark '{}' ({}) expects {} x {} x {}",
                                             (folder / first_file).string(), images.channels, images.height,
                                             images.width, benchmark.name, benchmark.file.string(), benchmark.channels,
                                             benchmark.height, benchmark.width));
  }
  return images;
}

/// Of the images in memory, as 16 + 16 hex digits. Channels before height: hashes of one-channel sets are older than
/// [N,H,W,C].
std::string content_hash(const ImageSet& set) {
  const std::int64_t shape[] = {set.count, set.channels, set.height, set.width};
  const std::uint64_t start = xxh3(std::as_bytes(std::span(shape)));
  const std::uint64_t pixels = xxh3(std::as_bytes(std::span(set.pixels)), start);
  const std::uint64_t labels = xxh3(std::as_bytes(std::span(set.labels)), pixels);
  return fmt::format("{:016x}{:016x}", pixels, labels);
}

/// A set of a source that is in memory.
struct Cut {
  ImageSet images;
  SetInfo info;
};

Cut cut(const Benchmark& benchmark, const SetSpec& spec, const SourceImages& source, const LoadOptions& options) {
  const auto label = [&](std::int64_t index) { return source.labels[static_cast<std::size_t>(index)]; };
  Selection selection = select_images(benchmark, spec, source.count, label, options);
  Cut result;
  ImageSet& set = result.images;
  set.name = spec.name;
  set.count = static_cast<std::int64_t>(selection.picks.size());
  set.channels = source.channels;
  set.height = source.height;
  set.width = source.width;
  set.labels = classes_of(benchmark, spec, selection.picks, label, [&](std::int64_t index, std::int64_t value) {
    throw Error(
        ErrorKind::data,
        fmt::format("image {} of source '{}' has the label {}, no class of benchmark '{}', which has 0 … {} ({})",
                    index, spec.source, value, benchmark.name, benchmark.classes.size() - 1, spec.where));
  });
  const std::int64_t size = source.channels * source.height * source.width;
  set.pixels.reserve(static_cast<std::size_t>(set.count * size));
  for (const std::int64_t pick : selection.picks) {
    const auto first = source.pixels.begin() + pick * size;
    set.pixels.insert(set.pixels.end(), first, first + size);
  }
  set.indices = std::move(selection.picks);
  set.hash = content_hash(set);
  result.info = {.name = spec.name,
                 .group = spec.group,
                 .count = set.count,
                 .channels = set.channels,
                 .height = set.height,
                 .width = set.width,
                 .available = selection.available,
                 .expected = spec.count,
                 .missing = 0,
                 .labels = set.labels,
                 .hash = set.hash};
  return result;
}

bool set_is_listed(const Benchmark& benchmark, const std::string& set_name) {
  return is_listed(benchmark.source(benchmark.set(set_name).source));
}

/// Calls use(position in `names`, Cut) for the sets of files and generators, source by source, so that only one source
/// is in memory at a time.
template <class Use>
void for_each_cut(const Benchmark& benchmark, const std::vector<std::string>& names, const LoadOptions& options,
                  Use use) {
  std::map<std::string, std::vector<std::size_t>> by_source;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (!set_is_listed(benchmark, names[i])) by_source[benchmark.set(names[i]).source].push_back(i);
  }
  for (const auto& [source_name, positions] : by_source) {
    const SourceImages source = read_source_images(benchmark, benchmark.source(source_name), options);
    for (const std::size_t position : positions)
      use(position, cut(benchmark, benchmark.set(names[position]), source, options));
  }
}

void append(const Slab& slab, const SetInfo& info, ImageSet& set) {
  const std::int64_t size = set.height * set.width * set.channels;
  std::size_t next_bad = 0;
  for (std::int64_t i = 0; i < slab.count; ++i) {
    const std::int64_t position = slab.first + i;
    if (next_bad < slab.unreadable.size() && slab.unreadable[next_bad] == position) {
      ++next_bad;
      ++set.unreadable;
      continue;
    }
    const auto first = slab.pixels.begin() + i * size;
    set.pixels.insert(set.pixels.end(), first, first + size);
    set.labels.push_back(info.labels[static_cast<std::size_t>(position)]);
    set.indices.push_back(position);
  }
}

/// Every image decoded into memory.
ImageSet load_listed(const Benchmark& benchmark, const std::string& set_name, const LoadOptions& options) {
  const std::unique_ptr<ImageStream> stream = open_stream(benchmark, set_name, options);
  const SetInfo& info = stream->info();
  const std::int64_t bytes = info.count * info.height * info.width * info.channels;
  if (bytes > kMostInMemory) {
    throw Error(
        ErrorKind::data,
        fmt::format(
            "set '{}' of benchmark '{}' has {} images of {} bytes, too many to hold in memory (the most is {} GiB)",
            set_name, benchmark.name, info.count, bytes / std::max<std::int64_t>(info.count, 1), kMostInMemory >> 30));
  }
  ImageSet set;
  set.name = set_name;
  set.channels = info.channels;
  set.height = info.height;
  set.width = info.width;
  set.hash = info.hash;
  set.pixels.reserve(static_cast<std::size_t>(bytes));
  Slab slab;
  while (stream->next(slab)) append(slab, info, set);
  set.count = static_cast<std::int64_t>(set.labels.size());
  if (set.count == 0)
    throw Error(ErrorKind::data,
                fmt::format("set '{}' of benchmark '{}' has no readable image", set_name, benchmark.name));
  return set;
}

SetInfo describe_listed(const Benchmark& benchmark, const std::string& set_name, const LoadOptions& options) {
  ListedSet set = open_listed_set(benchmark, set_name, options);
  check_packed(benchmark, set, options);
  return std::move(set.info);
}

/// SHA-256 of a set's list file; "" where there is none to read.
std::string list_file_hash(const Benchmark& benchmark, const SourceSpec& source, const LoadOptions& options) try {
  return source.type == SourceType::list ? sha256_file(find_root(benchmark, source.root, options) / source.list_file)
                                         : "";
} catch (const Error&) {
  return "";
}

/// Is the set pooled by a further protocol only (fsood+es)? Whether a person has it must not part rows of the usual
/// protocols.
bool only_further(const Benchmark& benchmark, const SetSpec& set) {
  const auto usual = [&](const ProtocolSpec& protocol) {
    return protocol.name == "fsood" &&
           std::find(protocol.csid.begin(), protocol.csid.end(), set.name) != protocol.csid.end();
  };
  return set.group == groups::kCsid && std::none_of(benchmark.protocols.begin(), benchmark.protocols.end(), usual);
}

/// What tells one state of a benchmark's data from another, whichever sets a plan reads: what is always scored by
/// content, and what some plans do not read (train, val, ood_val, csid) by its list file, or by content where all sets
/// are in memory anyway.
nlohmann::json identity(const Benchmark& benchmark, const LoadOptions& options,
                        const std::map<std::string, std::string>& hashes) {
  nlohmann::json contents = nlohmann::json::object(), protocols = nlohmann::json::object();
  for (const SetSpec& set : benchmark.sets) {
    if (only_further(benchmark, set)) continue;
    const bool scored = set.name == sets::kTest || is_ood_group(set.group);
    const auto found = hashes.find(set.name);
    const bool by_content = found != hashes.end() && (scored || !set_is_listed(benchmark, set.name));
    contents[set.name] = by_content ? found->second : list_file_hash(benchmark, benchmark.source(set.source), options);
  }
  for (const ProtocolSpec& protocol : benchmark.protocols) {
    if (protocol.name == "fsood" && !protocol.csid.empty()) protocols[protocol.name] = protocol.csid;
  }
  nlohmann::json result = {{"classes", benchmark.classes},
                           {"shape", {benchmark.channels, benchmark.height, benchmark.width}},
                           {"mean", benchmark.mean},
                           {"std", benchmark.std},
                           {"sets", contents}};
  if (!protocols.empty()) result["protocols"] = protocols;
  if (options.limit > 0) result["limit"] = options.limit;
  return result;
}

}  // namespace

ImageSet load_set(const Benchmark& benchmark, const std::string& set_name, const LoadOptions& options) {
  return std::move(load_sets(benchmark, {set_name}, options).front());
}

std::vector<ImageSet> load_sets(const Benchmark& benchmark, const std::vector<std::string>& set_names,
                                const LoadOptions& options) {
  std::vector<ImageSet> sets(set_names.size());
  for_each_cut(benchmark, set_names, options,
               [&](std::size_t position, Cut one) { sets[position] = std::move(one.images); });
  for (std::size_t i = 0; i < set_names.size(); ++i) {
    if (set_is_listed(benchmark, set_names[i])) sets[i] = load_listed(benchmark, set_names[i], options);
  }
  return sets;
}

SetInfo describe_set(const Benchmark& benchmark, const std::string& set_name, const LoadOptions& options) {
  if (set_is_listed(benchmark, set_name)) return describe_listed(benchmark, set_name, options);
  SetInfo info;
  for_each_cut(benchmark, {set_name}, options, [&](std::size_t, Cut one) { info = std::move(one.info); });
  return info;
}

Manifest read_manifest(const Benchmark& benchmark, const std::vector<std::string>& set_names,
                       const LoadOptions& options) {
  Manifest manifest;
  std::vector<FolderOrder> orders;
  manifest.sets.resize(set_names.size());
  const auto enter = [&](std::size_t position, const SetInfo& info) {
    manifest.sets[position] = {info.name,     info.group,   info.count, info.available,
                               info.expected, info.missing, info.hash};
    const std::string lacks = options.limit > 0 ? "" : missing_classes_text(benchmark, info.name, info.labels);
    if (!lacks.empty()) manifest.missing_classes.push_back(lacks);
    if (!info.folders.empty()) orders.push_back({info.name, info.folders});
    if (info.expected != 0 && info.available != info.expected) manifest.count_mismatch = true;
    manifest.missing += info.missing;
  };
  std::vector<std::string> all;  // of the sets in memory, all: their hashes tell the data's state
  for (const SetSpec& set : benchmark.sets) all.push_back(set.name);
  std::map<std::string, std::string> hashes;
  for_each_cut(benchmark, all, options, [&](std::size_t which, const Cut& one) {
    hashes[all[which]] = one.info.hash;
    const auto asked = std::find(set_names.begin(), set_names.end(), all[which]);
    if (asked != set_names.end()) enter(static_cast<std::size_t>(asked - set_names.begin()), one.info);
  });
  for (std::size_t i = 0; i < set_names.size(); ++i) {
    if (!set_is_listed(benchmark, set_names[i])) continue;
    enter(i, describe_listed(benchmark, set_names[i], options));
    hashes[set_names[i]] = manifest.sets[i].hash;
  }
  manifest.class_order = class_order_text(benchmark, orders);
  manifest.hash = sha256(identity(benchmark, options, hashes).dump());
  return manifest;
}

Manifest read_manifest(const Benchmark& benchmark, const LoadOptions& options) {
  std::vector<std::string> names;
  for (const SetSpec& set : benchmark.sets) names.push_back(set.name);
  return read_manifest(benchmark, names, options);
}

std::string manifest_hash(const Benchmark& benchmark, const LoadOptions& options) {
  return read_manifest(benchmark, options).hash;
}

}  // namespace nearfar
