#include "data/validate.h"

#include "base/set_name.h"
#include "base/text.h"
#include "config/document.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <limits>
#include <set>

namespace nearfar {
namespace {

/// A control may show ID classes.
bool is_ood(const SetSpec& set) {
  return set.group == groups::kNear || set.group == groups::kFar || set.group == groups::kOodVal;
}

/// Labels that both keep; "all of them" where one of the two has no list. Empty = none.
std::string common_classes(const SetSpec& a, const SetSpec& b) {
  if (a.classes.empty() && b.classes.empty()) return "all of them";
  const SetSpec& listed = a.classes.empty() ? b : a;
  const SetSpec& other = a.classes.empty() ? a : b;
  std::vector<std::string> common;
  for (const std::int64_t label : listed.classes) {
    const bool shared =
        other.classes.empty() || std::find(other.classes.begin(), other.classes.end(), label) != other.classes.end();
    if (shared) common.push_back(std::to_string(label));
  }
  return join(common, ", ");
}

bool ranges_meet(const SetSpec& a, const SetSpec& b) {
  constexpr std::int64_t kAll = std::numeric_limits<std::int64_t>::max();
  const std::int64_t a_end = a.first_per_class ? a.skip_per_class + a.first_per_class : kAll;
  const std::int64_t b_end = b.first_per_class ? b.skip_per_class + b.first_per_class : kAll;
  return a.skip_per_class < b_end && b.skip_per_class < a_end;
}

void check_names(const Benchmark& benchmark) {
  std::set<std::string> names;
  for (const SetSpec& set : benchmark.sets) {
    if (!names.insert(set.name).second) fail_at(set.where, fmt::format("there are two sets named '{}'", set.name));
  }
  for (const std::string_view needed : {sets::kTrain, sets::kTest}) {
    if (!names.contains(std::string(needed)))
      fail_at(benchmark.file.string(), fmt::format("a benchmark needs a [[set]] named '{}'", needed));
  }
  if (benchmark.classes.empty())
    fail_at(benchmark.file.string(), "a benchmark needs 'classes', the names of its ID classes, or 'class_count'");
}

void check_references(const Benchmark& benchmark) {
  std::vector<std::string> roots, sources;
  for (const DataRoot& root : benchmark.roots) roots.push_back(root.name);
  for (const SourceSpec& source : benchmark.sources) {
    sources.push_back(source.name);
    const bool generated = source.type == SourceType::noise || source.type == SourceType::shapes;
    if (!generated && std::find(roots.begin(), roots.end(), source.root) == roots.end()) {
      fail_at(source.where, fmt::format("[source.{}] names the root '{}', which is not in [root]{}", source.name,
                                        source.root, suggestion(source.root, roots)));
    }
  }
  for (const SetSpec& set : benchmark.sets) {
    if (std::find(sources.begin(), sources.end(), set.source) == sources.end()) {
      fail_at(set.where, fmt::format("set '{}' names the source '{}', which is not in [source]{}", set.name, set.source,
                                     suggestion(set.source, sources)));
    }
  }
}

void check_classes(const Benchmark& benchmark, const SetSpec& set) {
  const std::set<std::int64_t> unique(set.classes.begin(), set.classes.end());
  if (unique.size() != set.classes.size()) fail_at(set.where, fmt::format("set '{}' names a class twice", set.name));
  if (!is_labelled_group(set.group)) return;
  // Lists, folders and CIFAR batches may have the benchmark's own labels: those are checked when they are read.
  const SourceType type = benchmark.source(set.source).type;
  if (set.classes.empty() && (type == SourceType::list || type == SourceType::folders || type == SourceType::cifar))
    return;
  if (set.classes.size() != benchmark.classes.size()) {
    fail_at(set.where,
            fmt::format(
                "set '{}' keeps {} classes, but the benchmark has {}: list the source's label of each, in that order",
                set.name, set.classes.size(), benchmark.classes.size()));
  }
}

std::string plain(const std::string& path) { return std::filesystem::path(path).lexically_normal().string(); }

/// The same images in the same order: one source, or two that name the same list or folder.
bool same_images(const SourceSpec& a, const SourceSpec& b) {
  if (a.name == b.name) return true;
  if (a.type != b.type || a.root != b.root) return false;
  if (a.type == SourceType::list) return plain(a.list_file) == plain(b.list_file);
  return a.type == SourceType::folders && plain(a.folder) == plain(b.folder) && a.folders == b.folders;
}

/// Labels mean the same classes. Lists of one root do not share labels (OpenOOD's have -1 for all that is out of
/// distribution): there `nearfar data check` compares contents.
bool same_classes(const SourceSpec& a, const SourceSpec& b) {
  return is_listed(a) || is_listed(b) ? same_images(a, b) : a.root == b.root;
}

std::string described(const SourceSpec& source) {
  if (source.type == SourceType::list) return source.list_file;
  return is_listed(source) ? source.folder : source.root;
}

/// No leak: one image in one set only, and no class on both sides.
void check_pair(const Benchmark& benchmark, const SetSpec& a, const SetSpec& b) {
  const std::string common = common_classes(a, b);
  if (common.empty()) return;
  const SourceSpec &a_source = benchmark.source(a.source), &b_source = benchmark.source(b.source);
  if (same_classes(a_source, b_source) &&
      ((is_labelled_group(a.group) && is_ood(b)) || (is_ood(a) && is_labelled_group(b.group)))) {
    const SetSpec& ood = is_ood(a) ? a : b;
    const SetSpec& id = is_ood(a) ? b : a;
    fail_at(
        ood.where,
        fmt::format(
            "set '{}' keeps classes of '{}' that are in-distribution in set '{}' ({}): a class is one or the other: {}",
            ood.name, described(benchmark.source(ood.source)), id.name, id.where, common));
  }
  if (same_images(a_source, b_source) && ranges_meet(a, b)) {
    fail_at(b.where,
            fmt::format("sets '{}' ({}) and '{}' would share images of '{}', classes: {}; set skip_per_class and "
                        "first_per_class so that they "
                        "do not meet",
                        a.name, a.where, b.name, is_listed(b_source) ? described(b_source) : b.source, common));
  }
}

}  // namespace

void validate(const Benchmark& benchmark) {
  check_names(benchmark);
  check_references(benchmark);
  for (const SetSpec& set : benchmark.sets) check_classes(benchmark, set);
  for (std::size_t second = 1; second < benchmark.sets.size(); ++second) {
    for (std::size_t first = 0; first < second; ++first)
      check_pair(benchmark, benchmark.sets[first], benchmark.sets[second]);
  }
}

}  // namespace nearfar
