#include "data/benchmark.h"

#include "base/error.h"
#include "base/text.h"
#include "config/document.h"
#include "data/validate.h"

#include <fmt/format.h>

#include <algorithm>

namespace nearfar {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kMostImages = 100'000'000;

/// configs/benchmarks/x.toml belongs to the tree above `configs`; a benchmark elsewhere to its own folder.
fs::path base_of(const fs::path& file) {
  const fs::path folder = fs::weakly_canonical(file).parent_path();
  for (fs::path at = folder; at.has_relative_path(); at = at.parent_path()) {
    if (at.filename() == "configs") return at.parent_path();
  }
  return folder;
}

/// File names of a benchmark stay beneath their root.
void check_beneath(const std::string& name, const std::string& where) {
  const fs::path path(name);
  const bool climbs = std::find(path.begin(), path.end(), "..") != path.end();
  if (path.is_absolute() || climbs || name.find('\0') != std::string::npos) {
    fail_at(where, fmt::format("'{}' must lie beneath its root: a relative path without '..'", name));
  }
}

void require(Section& section, const Value& at, std::string_view key, bool present) {
  if (!present) fail_at(at.where, fmt::format("{} needs '{}'", section.name(), key));
}

DataRoot read_root(const std::string& name, const Value& value) {
  Section section(&value, fmt::format("[root.{}]", name));
  DataRoot root{.name = name, .folder = {}, .fix = {}, .where = value.key_where};
  require(section, value, "folder", section.read("folder", root.folder));
  section.read("fix", root.fix);
  section.finish();
  return root;
}

SourceType source_type(const std::string& text) {
  if (text == "idx") return SourceType::idx;
  if (text == "mnist-csv") return SourceType::mnist_csv;
  return text == "noise" ? SourceType::noise : SourceType::shapes;
}

void read_files(Section& section, const Value& value, SourceSpec& source) {
  require(section, value, "root", section.read("root", source.root));
  require(section, value, "images", section.read("images", source.images_file));
  check_beneath(source.images_file, section.where("images"));
  if (source.type != SourceType::idx) return;
  require(section, value, "labels", section.read("labels", source.labels_file));
  check_beneath(source.labels_file, section.where("labels"));
}

SourceSpec read_source(const std::string& name, const Value& value) {
  Section section(&value, fmt::format("[source.{}]", name));
  SourceSpec source;
  source.name = source.root = name;
  source.where = value.key_where;
  std::string type;
  require(section, value, "type", section.read("type", type, {"idx", "mnist-csv", "noise", "shapes"}));
  source.type = source_type(type);
  if (source.type == SourceType::idx || source.type == SourceType::mnist_csv) {
    read_files(section, value, source);
  } else {
    std::int64_t seed = 0;
    section.read("seed", seed, 0);
    source.seed = static_cast<std::uint64_t>(seed);
    require(section, value, "size", section.read("size", source.size, 1, 1'000'000));
  }
  if (source.type == SourceType::shapes) {
    require(section, value, "kinds", section.read("kinds", source.kinds, 1, 1000));
    require(section, value, "pattern", section.read("pattern", source.pattern, {"gratings", "blobs"}));
  }
  section.finish();
  return source;
}

SetSpec read_set(const Value& value) {
  Section section(&value, "[[set]]");
  SetSpec set;
  set.where = value.where;
  require(section, value, "name", section.read("name", set.name));
  require(section, value, "source", section.read("source", set.source));
  section.read("classes", set.classes, 0);
  section.read("skip_per_class", set.skip_per_class, 0, kMostImages);
  section.read("first_per_class", set.first_per_class, 1, kMostImages);
  require(section, value, "count", section.read("count", set.count, 1, kMostImages));
  section.finish();
  set.group = group_of(set.name);
  if (set.group.empty()) {
    fail_at(section.where("name"),
            fmt::format("'{}' is no name of a set; there are train, val, test, ood_val and near/NAME, far/NAME, csid/NAME, "
                        "control/NAME, with NAME of letters, digits, '-', '_' and '.'",
                        set.name));
  }
  return set;
}

void read_image(Section& top, Benchmark& benchmark) {
  Section image(top.find_table("image"), "[image]");
  image.read("channels", benchmark.channels, 1, 16);
  image.read("height", benchmark.height, 1, 8192);
  image.read("width", benchmark.width, 1, 8192);
  image.read("mean", benchmark.mean);
  image.read("std", benchmark.std);
  image.finish();
  if (benchmark.height == 0 || benchmark.width == 0) fail_at(top.where("image"), "[image] needs 'height' and 'width'");
  const auto channels = static_cast<std::size_t>(benchmark.channels);
  if (benchmark.mean.size() != channels || benchmark.std.size() != channels) {
    fail_at(top.where("image"), fmt::format("'mean' and 'std' in [image] need one number per channel, {}", channels));
  }
  for (const double deviation : benchmark.std) {
    if (deviation <= 0) fail_at(image.where("std"), "'std' in [image] must be above 0");
  }
}

Benchmark read_benchmark(const fs::path& file) {
  const Value document = read_composed(file);
  Section top(&document, "the top level");
  Benchmark benchmark;
  benchmark.file = file;
  benchmark.base = base_of(file);
  benchmark.name = file.stem().string();
  top.read("name", benchmark.name);
  top.read("title", benchmark.title);
  top.read("classes", benchmark.classes);
  read_image(top, benchmark);
  if (const Value* roots = top.find_table("root")) {
    for (const auto& [name, value] : *roots->table()) benchmark.roots.push_back(read_root(name, value));
  }
  if (const Value* sources = top.find_table("source")) {
    for (const auto& [name, value] : *sources->table()) benchmark.sources.push_back(read_source(name, value));
  }
  const Value* sets = top.find("set");
  if (sets && sets->list()) {
    for (const Value& set : *sets->list()) benchmark.sets.push_back(read_set(set));
  } else if (sets) {
    fail_at(sets->where, "sets are written as [[set]], one after the other");
  }
  top.finish();
  validate(benchmark);
  return benchmark;
}

template <class T>
const T& named(const std::vector<T>& all, std::string_view name, const char* what, const Benchmark& benchmark) {
  std::vector<std::string> names;
  for (const T& one : all) {
    if (one.name == name) return one;
    names.push_back(one.name);
  }
  throw Error(ErrorKind::config, fmt::format("benchmark '{}' ({}) has no {} '{}'{}", benchmark.name, benchmark.file.string(), what, name,
                                             suggestion(name, names)));
}

}  // namespace

const SetSpec& Benchmark::set(std::string_view set_name) const { return named(sets, set_name, "image set", *this); }
const SourceSpec& Benchmark::source(std::string_view source_name) const { return named(sources, source_name, "source", *this); }

Benchmark load_benchmark(const std::string& name_or_path, const std::vector<fs::path>& search) {
  if (name_or_path.ends_with(".toml")) return read_benchmark(name_or_path);
  std::error_code ignored;
  for (const fs::path& folder : search) {
    for (const std::string& name : {name_or_path, plugin_key(name_or_path)}) {
      const fs::path file = folder / (name + ".toml");
      if (name.find('/') == std::string::npos && fs::is_regular_file(file, ignored)) return read_benchmark(file);
    }
  }
  const std::vector<std::string> names = benchmark_names(search);
  std::string folders;
  for (const fs::path& folder : search) folders += (folders.empty() ? "" : ", ") + folder.string();
  throw Error(ErrorKind::config,
              fmt::format("unknown benchmark '{}'{}; there are: {} (in {}); a benchmark of your own is named by its path, ending in .toml",
                          name_or_path, suggestion(name_or_path, names), names.empty() ? "none" : join(names, ", "), folders));
}

std::vector<std::string> benchmark_names(const std::vector<fs::path>& search) {
  std::vector<std::string> names;
  for (const fs::path& folder : search) {
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(folder, error)) {
      if (entry.path().extension() == ".toml") names.push_back(entry.path().stem().string());
    }
  }
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
}

}  // namespace nearfar
