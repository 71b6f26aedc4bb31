#include "base/error.h"
#include "base/hash.h"
#include "base/npy.h"
#include "data/class_check.h"
#include "data/feature_sets.h"
#include "plan/foreign_models.h"
#include "plan/identity.h"
#include "plan/model_names.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <map>
#include <span>
#include <vector>

namespace nearfar {
namespace {
namespace fs = std::filesystem;
using nlohmann::json;

std::string content_hash(const fs::path& file) { return fmt::format("{:016x}", xxh3(NpyArray(file).bytes())); }

/// One set: rows and contents.
struct FolderSet {
  std::int64_t rows = 0;
  std::string labels, content;  ///< hashes
};

FolderSet read_folder_set(const fs::path& folder) {
  FolderSet set;
  for (const char* name : {"features.npy", "logits.npy", "labels.npy"}) {
    if (!fs::exists(folder / name)) continue;
    const NpyArray array(folder / name);
    if (array.shape().empty())
      throw Error(ErrorKind::data, fmt::format("{}: has no axis of images", (folder / name).string()));
    if (set.rows != 0 && array.shape()[0] != set.rows) {
      throw Error(ErrorKind::data, fmt::format("{}: has {} rows, the other arrays beside it {}",
                                               (folder / name).string(), array.shape()[0], set.rows));
    }
    set.rows = array.shape()[0];
    const std::string hash = fmt::format("{:016x}", xxh3(array.bytes()));
    set.content += hash;
    if (std::string_view(name) == "labels.npy") {
      const std::vector<std::int64_t> labels = converted<std::int64_t>(array);  // int32 labels are the same images
      set.labels = fmt::format("{:016x}", xxh3(std::as_bytes(std::span(labels))));
    }
  }
  return set;
}

/// Group, expected count and order of a set are the benchmark's where it has the set.
const SetSpec* spec_of(const Benchmark& benchmark, const std::string& name) {
  const auto found =
      std::find_if(benchmark.sets.begin(), benchmark.sets.end(), [&](const SetSpec& set) { return set.name == name; });
  return found == benchmark.sets.end() ? nullptr : &*found;
}

}  // namespace

ModelPlan feature_model(const Plan& plan, std::size_t benchmark, const ForeignModel& entry) {
  std::error_code ignored;
  if (!fs::is_directory(entry.features, ignored)) {
    throw Error(ErrorKind::data,
                fmt::format("{}: model.features '{}' is no folder", entry.where, entry.features.string()));
  }
  const std::vector<std::string> sets = feature_folder_sets(entry.features);
  if (std::find(sets.begin(), sets.end(), "test") == sets.end()) {
    throw Error(ErrorKind::data,
                fmt::format("{}: the feature folder '{}' has no image set 'test' (test/features.npy or "
                            "test/logits.npy)",
                            entry.where, entry.features.string()));
  }
  ModelPlan model{
      .origin = ModelOrigin::features, .benchmark = benchmark, .training = shown_name(entry), .recipe = "foreign"};
  model.seed = entry.seed.value_or(0);
  model.file = entry.features;
  json content = json::object();
  for (const std::string& set : sets) content[set] = read_folder_set(entry.features / set).content;
  const fs::path weight = entry.features / "head/weight.npy";
  const bool logits = fs::exists(entry.features / "test/logits.npy");
  model.has_classifier = fs::exists(weight) || logits;
  const bool ncm = fs::exists(entry.features / "train/features.npy") && fs::exists(entry.features / "train/labels.npy");
  model.measurable = fs::exists(entry.features / "test/labels.npy") &&
                     (logits || (ncm && fs::exists(entry.features / "test/features.npy")));
  if (fs::exists(weight)) {
    const NpyArray head(weight);
    model.flags = check_classes(plan, benchmark, weight, head.shape().empty() ? 0 : head.shape()[0]);
    content["head"] = content_hash(weight) + content_hash(entry.features / "head/bias.npy");
  }
  model.architecture = entry.architecture.empty() ? "unknown" : entry.architecture;
  model.head = model.has_classifier ? "linear" : "none";
  const std::string hash = sha256(content.dump());
  model.note = fmt::format("features in {}", entry.features.string());
  model.key = sha256(json_object({{"kind", "\"features-made-elsewhere\""},
                                  {"content", json_text(hash)},
                                  {"architecture", json_text(model.architecture)},
                                  {"benchmark", json_text(plan.benchmarks[benchmark].benchmark.name)}}));
  return model;
}

Manifest feature_manifest(const Experiment& experiment, const Benchmark& benchmark) {
  Manifest manifest;
  std::map<std::string, FolderSet> first;
  for (const ForeignModel& entry : experiment.foreign) {
    if (entry.features.empty()) {
      throw Error(
          ErrorKind::config,
          fmt::format("{}: models from weights and models from features do not fit one experiment; run them apart",
                      entry.where));
    }
    std::map<std::string, FolderSet> sets;
    for (const std::string& name : feature_folder_sets(entry.features))
      sets.emplace(name, read_folder_set(entry.features / name));
    if (first.empty()) first = sets;
    const bool same =
        std::equal(first.begin(), first.end(), sets.begin(), sets.end(), [](const auto& a, const auto& b) {
          return a.first == b.first && a.second.rows == b.second.rows && a.second.labels == b.second.labels;
        });
    if (!same) {
      throw Error(ErrorKind::data,
                  fmt::format("{}: the image sets of '{}' are not those of '{}' (names, rows or labels differ)",
                              entry.where, entry.features.string(), experiment.foreign[0].features.string()));
    }
  }
  std::vector<std::string> order;
  for (const SetSpec& set : benchmark.sets) {
    if (first.contains(set.name)) {
      order.push_back(set.name);
    } else if (set.group == "near" || set.group == "far") {  // the means would be over fewer sets
      manifest.count_mismatch = true;
      if (!experiment.allow_count_mismatch) {
        throw Error(
            ErrorKind::data,
            fmt::format("'{}' has no set '{}', which benchmark '{}' has ({}); set data.allow_count_mismatch=true to go "
                        "on without it, which every result will then say",
                        experiment.foreign[0].features.string(), set.name, benchmark.name, set.where));
      }
    }
  }
  for (const auto& [name, set] : first) {
    if (spec_of(benchmark, name) == nullptr) order.push_back(name);
  }
  json identity = json::object();
  for (const std::string& name : order) {
    const SetSpec* spec = spec_of(benchmark, name);
    const FolderSet& set = first.at(name);
    const std::size_t slash = name.find('/');
    const std::string group = spec != nullptr              ? spec->group
                              : slash == std::string::npos ? name == "ood_val" ? "ood_val" : "id"
                                                           : name.substr(0, slash);
    const std::int64_t expected = spec != nullptr ? spec->count : 0;
    if (expected > 0 && expected != set.rows) {
      manifest.count_mismatch = true;
      if (!experiment.allow_count_mismatch) {
        throw Error(ErrorKind::data, fmt::format("set '{}' of '{}' has {} rows, benchmark '{}' expects {} ({}); set "
                                                 "data.allow_count_mismatch=true to go on, "
                                                 "which every result will then say",
                                                 name, experiment.foreign[0].features.string(), set.rows,
                                                 benchmark.name, expected, spec->where));
      }
    }
    const std::string hash = fmt::format("{:032}", 0).substr(set.labels.size()) + set.labels;
    manifest.sets.push_back({name, group, set.rows, set.rows, expected, 0, hash});
    identity[name] = {set.rows, set.labels};
    if (const fs::path labels = experiment.foreign[0].features / name / "labels.npy"; fs::exists(labels)) {
      const std::string lacks = missing_classes_text(benchmark, name, converted<std::int64_t>(NpyArray(labels)));
      if (!lacks.empty()) manifest.missing_classes.push_back(lacks);
    }
  }
  manifest.hash = sha256("features " + identity.dump());
  return manifest;
}

}  // namespace nearfar
