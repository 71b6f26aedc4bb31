#include "data/benchmark_read.h"

#include "base/error.h"
#include "base/set_name.h"
#include "base/text.h"
#include "config/document.h"
#include "data/open_beneath.h"
#include "data/validate.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

namespace nearfar {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kMostImages = 100'000'000, kLargestSide = 8192, kMostClasses = 1'000'000;

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
  if (!name_problem(name).empty()) {
    fail_at(where, fmt::format("'{}' must lie beneath its root: a relative path without '..'", name));
  }
}

void require(Section& section, const Value& at, std::string_view key, bool present) {
  if (!present) fail_at(at.where, fmt::format("{} needs '{}'", section.name(), key));
}

/// A file or folder beneath the root; false where the key is absent.
bool read_beneath(Section& section, std::string_view key, std::string& target) {
  if (!section.read(key, target)) return false;
  if (target == ".") target.clear();
  if (!target.empty()) check_beneath(target, section.where(key));
  return true;
}

DataRoot read_root(const std::string& name, const Value& value) {
  Section section(&value, fmt::format("[root.{}]", name));
  DataRoot root{.name = name, .folder = {}, .in_data_root = name, .fix = {}, .where = value.key_where};
  require(section, value, "folder", section.read("folder", root.folder));
  section.read("in_data_root", root.in_data_root);
  check_beneath(root.in_data_root, section.where("in_data_root"));
  section.read("fix", root.fix);
  section.finish();
  return root;
}

/// The root may be left out where there is only one.
void read_root_name(Section& section, const Value& value, const Benchmark& benchmark, std::string& root) {
  if (section.read("root", root)) return;
  require(section, value, "root", benchmark.roots.size() == 1);
  root = benchmark.roots.front().name;
}

SourceType source_type(const std::string& text) {
  if (text == "idx") return SourceType::idx;
  if (text == "mnist-csv") return SourceType::mnist_csv;
  if (text == "list") return SourceType::list;
  if (text == "folders") return SourceType::folders;
  if (text == "cifar-binary") return SourceType::cifar;
  return text == "noise" ? SourceType::noise : SourceType::shapes;
}

void read_idx_keys(Section& section, const Value& value, SourceSpec& source) {
  require(section, value, "images", section.read("images", source.images_file));
  check_beneath(source.images_file, section.where("images"));
  if (source.type != SourceType::idx) return;
  require(section, value, "labels", section.read("labels", source.labels_file));
  check_beneath(source.labels_file, section.where("labels"));
}

void read_cifar_keys(Section& section, const Value& value, SourceSpec& source) {
  require(section, value, "files", section.read("files", source.batch_files));
  if (source.batch_files.empty())
    fail_at(section.where("files"), "'files' of a cifar-binary source names at least one batch");
  for (const std::string& file : source.batch_files) check_beneath(file, section.where("files"));
  section.read("label_bytes", source.label_bytes, 1, 2);
}

void read_folder_keys(Section& section, SourceSpec& source) {
  read_beneath(section, "folder", source.folder);
  section.read("folders", source.folders);
  for (const std::string& folder : source.folders) check_beneath(folder, section.where("folders"));
}

void read_generated_keys(Section& section, const Value& value, SourceSpec& source) {
  std::int64_t seed = 0;
  section.read("seed", seed, 0);
  source.seed = static_cast<std::uint64_t>(seed);
  require(section, value, "size", section.read("size", source.size, 1, 1'000'000));
  if (source.type != SourceType::shapes) return;
  require(section, value, "kinds", section.read("kinds", source.kinds, 1, 1000));
  require(section, value, "pattern", section.read("pattern", source.pattern, {"gratings", "blobs"}));
}

void read_list_keys(Section& section, const Value& value, SourceSpec& source) {
  require(section, value, "list", section.read("list", source.list_file));
  check_beneath(source.list_file, section.where("list"));
  read_beneath(section, "images", source.folder);
}

SourceSpec read_source(const std::string& name, const Value& value, const Benchmark& benchmark) {
  Section section(&value, fmt::format("[source.{}]", name));
  SourceSpec source;
  source.name = source.root = name;
  source.where = value.key_where;
  std::string type;
  require(section, value, "type",
          section.read("type", type, {"idx", "mnist-csv", "list", "folders", "cifar-binary", "noise", "shapes"}));
  source.type = source_type(type);
  if (source.type == SourceType::noise || source.type == SourceType::shapes) {
    read_generated_keys(section, value, source);
  } else {
    read_root_name(section, value, benchmark, source.root);
    if (source.type == SourceType::list) {
      read_list_keys(section, value, source);
    } else if (source.type == SourceType::folders) {
      read_folder_keys(section, source);
    } else if (source.type == SourceType::cifar) {
      read_cifar_keys(section, value, source);
    } else {
      read_idx_keys(section, value, source);
    }
  }
  section.finish();
  return source;
}

/// `resize`: an integer (the shorter side), [height, width], or "none".
std::optional<Preprocess> read_resize(Section& section, const Benchmark& benchmark) {
  const Value* value = section.find("resize");
  if (!value) return std::nullopt;
  Preprocess result;
  result.height = benchmark.height;
  result.width = benchmark.width;
  const auto side = [&](const Value& one) -> std::int64_t {
    const std::int64_t* number = std::get_if<std::int64_t>(&one.data);
    return number && *number >= 1 && *number <= kLargestSide ? *number : 0;
  };
  if (const std::string* text = std::get_if<std::string>(&value->data); text && *text == "none") {
    result.resize = Preprocess::Resize::none;
    return result;
  }
  if (const Value::List* sides = value->list(); sides && sides->size() == 2 && side((*sides)[0]) && side((*sides)[1])) {
    result.resize = Preprocess::Resize::exact;
    result.resize_height = side((*sides)[0]);
    result.resize_width = side((*sides)[1]);
    return result;
  }
  result.side = side(*value);
  if (result.side) return result;
  fail_at(value->where,
          fmt::format(
              "'resize' in {} takes the shorter side's new length (1 to {}), [HEIGHT, WIDTH], or \"none\" for images "
              "that are stored at their size; found {}",
              section.name(), kLargestSide, type_name(*value)));
}

const SourceSpec* find_source(const Benchmark& benchmark, const std::string& name) {
  const auto found = std::find_if(benchmark.sources.begin(), benchmark.sources.end(),
                                  [&](const SourceSpec& s) { return s.name == name; });
  return found == benchmark.sources.end() ? nullptr : &*found;
}

/// A set may name its own list instead of a source: OpenOOD's layout in one table a set.
void read_own_source(Section& section, const Value& value, Benchmark& benchmark, SetSpec& set) {
  if (!set.source.empty()) fail_at(section.where("list"), "a [[set]] has either 'source' or 'list'");
  SourceSpec source;
  source.name = set.source = set.name;
  source.type = SourceType::list;
  source.where = value.where;
  read_list_keys(section, value, source);
  read_root_name(section, value, benchmark, source.root);
  const SourceSpec* other = find_source(benchmark, source.name);
  const bool twice = std::any_of(benchmark.sets.begin(), benchmark.sets.end(),
                                 [&](const SetSpec& one) { return one.name == set.name; });
  if (other && !twice) {  // two sets of one name are validate()'s to refuse
    fail_at(value.where,
            fmt::format("the list of set '{}' would be a second source of that name ({})", set.name, other->where));
  }
  benchmark.sources.push_back(std::move(source));
}

/// Of lists and folders only; the benchmark's unless the set has its own.
void set_preprocess(Section& section, const Value& value, const Benchmark& benchmark,
                    const std::optional<Preprocess>& common, SetSpec& set) {
  const std::optional<Preprocess> own = read_resize(section, benchmark);
  const SourceSpec* source = find_source(benchmark, set.source);
  if (!source || !is_listed(*source)) {
    if (own && source)
      fail_at(section.where("resize"),
              "'resize' is for sets of lists and folders; images of other sources are not resized");
    return;
  }
  if (benchmark.channels != 3) {
    fail_at(value.where,
            fmt::format("set '{}' comes from image files, which are RGB: [image] needs channels = 3", set.name));
  }
  if (!own && !common)
    fail_at(value.where, fmt::format("set '{}' comes from image files: [image] needs 'resize' (e.g. {})", set.name,
                                     benchmark.height));
  set.preprocess = own ? *own : *common;
}

SetSpec read_set(const Value& value, Benchmark& benchmark, const std::optional<Preprocess>& common) {
  Section section(&value, "[[set]]");
  SetSpec set;
  set.where = value.where;
  require(section, value, "name", section.read("name", set.name));
  const std::optional<SetName> name = parse_set_name(set.name);
  if (!name) {
    fail_at(
        section.where("name"),
        fmt::format("'{}' is no name of a set; there are train, val, test, ood_val and near/NAME, far/NAME, csid/NAME, "
                    "control/NAME, with NAME of letters, digits, '-', '_' and '.'",
                    set.name));
  }
  set.group = name->group;
  section.read("source", set.source);
  if (section.find("list")) {
    read_own_source(section, value, benchmark, set);
  } else if (set.source.empty()) {
    fail_at(value.where, "[[set]] needs 'source', or 'list' for an image list");
  }
  section.read("classes", set.classes, 0);
  section.read("skip_per_class", set.skip_per_class, 0, kMostImages);
  section.read("first_per_class", set.first_per_class, 1, kMostImages);
  const bool counted = section.read("count", set.count, 1, kMostImages);
  set_preprocess(section, value, benchmark, common, set);
  section.finish();
  const SourceSpec* source = find_source(benchmark, set.source);
  if (source && !is_listed(*source)) require(section, value, "count", counted);
  return set;
}

std::optional<Preprocess> read_image(Section& top, Benchmark& benchmark) {
  Section image(top.find_table("image"), "[image]");
  image.read("channels", benchmark.channels, 1, 16);
  image.read("height", benchmark.height, 1, kLargestSide);
  image.read("width", benchmark.width, 1, kLargestSide);
  image.read("mean", benchmark.mean);
  image.read("std", benchmark.std);
  if (benchmark.height == 0 || benchmark.width == 0) fail_at(top.where("image"), "[image] needs 'height' and 'width'");
  const std::optional<Preprocess> preprocess = read_resize(image, benchmark);
  image.finish();
  const auto channels = static_cast<std::size_t>(benchmark.channels);
  if (benchmark.mean.size() != channels || benchmark.std.size() != channels) {
    fail_at(top.where("image"), fmt::format("'mean' and 'std' in [image] need one number per channel, {}", channels));
  }
  for (const double deviation : benchmark.std) {
    if (deviation <= 0) fail_at(image.where("std"), "'std' in [image] must be above 0");
  }
  return preprocess;
}

void read_classes(Section& top, Benchmark& benchmark) {
  std::int64_t count = 0;
  const bool named = top.read("classes", benchmark.classes);
  if (!top.read("class_count", count, 1, kMostClasses)) return;
  if (named) fail_at(top.where("class_count"), "a benchmark has either 'classes' or 'class_count'");
  benchmark.classes_named = false;
  for (std::int64_t i = 0; i < count; ++i) benchmark.classes.push_back(std::to_string(i));
}

ProtocolSpec read_protocol(const std::string& name, const Value& value, const std::vector<std::string>& csid_sets) {
  Section section(&value, fmt::format("[protocol.{}]", name));
  ProtocolSpec protocol{.name = name, .csid = {}};
  if (name == "ood")
    fail_at(value.key_where,
            "the protocol 'ood' is the test set alone; covariate-shifted sets belong to another, e.g. 'fsood'");
  const bool plain = !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
           c == '.' || c == '+';
  });
  if (!plain)
    fail_at(value.key_where,
            fmt::format("'{}' is no name of a protocol: letters, digits, '-', '_', '.' and '+'", name));
  require(section, value, "csid", section.read("csid", protocol.csid));
  if (protocol.csid.empty()) fail_at(section.where("csid"), "a protocol names at least one csid set");
  for (std::string& set : protocol.csid) {
    if (!set.starts_with("csid/")) set = "csid/" + set;
    if (std::find(csid_sets.begin(), csid_sets.end(), set) == csid_sets.end()) {
      fail_at(section.where("csid"), fmt::format("{} names the set '{}', which is not there{}", section.name(), set,
                                                 suggestion(set, csid_sets)));
    }
    if (std::count(protocol.csid.begin(), protocol.csid.end(), set) > 1) {
      fail_at(section.where("csid"), fmt::format("{} names the set '{}' twice", section.name(), set));
    }
  }
  section.finish();
  return protocol;
}

void read_protocols(Section& top, Benchmark& benchmark) {
  std::vector<std::string> csid_sets;
  for (const SetSpec& set : benchmark.sets) {
    if (set.group == groups::kCsid) csid_sets.push_back(set.name);
  }
  benchmark.protocols = {{.name = "ood", .csid = {}}};
  if (!csid_sets.empty()) benchmark.protocols.push_back({.name = "fsood", .csid = csid_sets});
  const Value* tables = top.find_table("protocol");
  if (!tables) return;
  for (const auto& [name, value] : *tables->table()) {
    ProtocolSpec protocol = read_protocol(name, value, csid_sets);
    if (name == "fsood") {
      benchmark.protocols[1] = std::move(protocol);
    } else {
      benchmark.protocols.push_back(std::move(protocol));
    }
  }
}

}  // namespace

Benchmark read_benchmark(const fs::path& file) {
  const Value document = read_composed(file);
  Section top(&document, "the top level");
  Benchmark benchmark;
  benchmark.file = file;
  benchmark.base = base_of(file);
  benchmark.name = file.stem().string();
  top.read("name", benchmark.name);
  top.read("title", benchmark.title);
  read_classes(top, benchmark);
  const std::optional<Preprocess> preprocess = read_image(top, benchmark);
  if (const Value* roots = top.find_table("root")) {
    for (const auto& [name, value] : *roots->table()) benchmark.roots.push_back(read_root(name, value));
  }
  if (const Value* sources = top.find_table("source")) {
    for (const auto& [name, value] : *sources->table())
      benchmark.sources.push_back(read_source(name, value, benchmark));
  }
  const Value* sets = top.find("set");
  if (sets && sets->list()) {
    for (const Value& set : *sets->list()) benchmark.sets.push_back(read_set(set, benchmark, preprocess));
  } else if (sets) {
    fail_at(sets->where, "sets are written as [[set]], one after the other");
  }
  read_protocols(top, benchmark);
  top.finish();
  validate(benchmark);
  return benchmark;
}

}  // namespace nearfar
