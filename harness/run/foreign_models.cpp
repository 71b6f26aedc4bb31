#include "run/foreign_models.h"

#include "base/error.h"
#include "base/hash.h"
#include "base/npy.h"
#include "base/text.h"
#include "run/child.h"
#include "run/locations.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <charconv>
#include <map>
#include <set>

namespace nearfar {
namespace {
namespace fs = std::filesystem;
using nlohmann::json;

/// The number of a folder named s0, s1, …
std::optional<std::int64_t> seed_number(const fs::path& folder) {
  const std::string name = folder.filename().string();
  std::int64_t number = 0;
  if (name.size() < 2 || name[0] != 's') return std::nullopt;
  const auto [end, failure] = std::from_chars(name.data() + 1, name.data() + name.size(), number);
  return failure == std::errc() && end == name.data() + name.size() && number >= 0 ? std::optional(number)
                                                                                   : std::nullopt;
}

struct SeedFile {
  std::int64_t seed;
  fs::path file;
  bool numbered;  ///< the seed is known
};

/// The weights files of an entry: the file itself, or best.ckpt of every seed folder.
std::vector<SeedFile> weights_files(const ForeignModel& model) {
  std::error_code ignored;
  if (fs::is_regular_file(model.checkpoint, ignored))
    return {{model.seed.value_or(0), model.checkpoint, model.seed.has_value()}};
  if (!fs::is_directory(model.checkpoint, ignored)) {
    throw Error(ErrorKind::data,
                fmt::format("{}: model.checkpoint '{}' is not there", model.where, model.checkpoint.string()));
  }
  std::vector<SeedFile> files;
  for (const auto& entry : fs::directory_iterator(model.checkpoint)) {
    const auto seed = seed_number(entry.path());
    if (!seed || (model.seed && *model.seed != *seed)) continue;
    for (const char* name : {"best.ckpt", "best.safetensors"}) {
      if (!fs::is_regular_file(entry.path() / name, ignored)) continue;
      files.push_back({*seed, entry.path() / name, true});
      break;
    }
  }
  std::sort(files.begin(), files.end(), [](const SeedFile& a, const SeedFile& b) { return a.seed < b.seed; });
  if (files.empty()) {
    throw Error(ErrorKind::data, fmt::format("{}: the folder '{}' has no s0/best.ckpt, s1/best.ckpt, …; give a weights "
                                             "file or OpenOOD's folder of seeds",
                                             model.where, model.checkpoint.string()));
  }
  return files;
}

/// What the engine finds in a weights file.
json describe_weights(const Plan& plan, const ForeignModel& model, const fs::path& file) {
  const json job{{"file", fs::absolute(file).string()},
                 {"architecture", model.architecture},
                 {"mappings", (share() / "configs/models").string()},
                 {"height", plan.benchmark.height},
                 {"width", plan.benchmark.width},
                 {"channels", plan.benchmark.channels}};
  return json::parse(run_engine("weights", job.dump()));
}

/// "class-mismatch" where the model has other classes than the benchmark and data.allow_count_mismatch lets it pass.
std::string check_classes(const Plan& plan, const fs::path& file, std::int64_t classes) {
  const auto expected = static_cast<std::int64_t>(plan.benchmark.classes.size());
  if (classes == expected) return "";
  if (plan.experiment.allow_count_mismatch) return "class-mismatch";
  throw Error(
      ErrorKind::data,
      fmt::format("{}: is a model of {} classes, benchmark '{}' has {}; choose the benchmark it was trained on, or set "
                  "data.allow_count_mismatch=true, which every result will then say",
                  file.string(), classes, plan.benchmark.name, expected));
}

PlannedModel new_model(const Plan& plan, const ForeignModel& entry, ModelOrigin origin, std::int64_t seed) {
  PlannedModel model;
  model.origin = origin;
  model.seed = seed;
  model.cell.record.kind = "train";
  model.cell.record.benchmark = plan.benchmark.name;
  model.cell.record.training = entry.training;
  model.cell.record.recipe = "foreign";
  model.cell.record.seed = seed;
  return model;
}

PlannedModel checkpoint_model(const Plan& plan, const ForeignModel& entry, const SeedFile& found) {
  PlannedModel model = new_model(plan, entry, ModelOrigin::checkpoint, found.seed);
  model.file = found.file;
  model.weights = sha256_file(found.file);
  const json facts = describe_weights(plan, entry, found.file);
  model.has_classifier = facts.at("head") == "linear";
  if (model.has_classifier) model.cell.record.flags = check_classes(plan, found.file, facts.at("classes"));
  CellRecord& record = model.cell.record;
  record.architecture = facts.at("architecture");
  record.head = model.has_classifier ? "linear" : facts.at("projection").get<std::string>();
  // Of a nameless model without a seed, the weights are all that tells it from another one.
  if (entry.training == "unknown" && !found.numbered) record.training_params = "weights=" + model.weights.substr(0, 8);
  record.label = fmt::format("{}/{}/s{}", entry.training, record.architecture, found.seed);
  model.cell.reason = fmt::format("weights in {} ({})", found.file.string(), facts.at("mapping").get<std::string>());
  record.config_json = json{
      {"kind", "checkpoint"},
      {"weights", model.weights},
      {"architecture", record.architecture},
      {"training", record.training},
      {"training_params", record.training_params},
      {"seed", found.seed}}.dump();
  record.key = sha256(record.config_json);
  return model;
}

/// Sets of a feature folder: every folder beneath it with features.npy or logits.npy.
std::vector<std::string> folder_sets(const fs::path& folder) {
  std::vector<std::string> sets;
  const auto is_set = [&](const std::string& name) {
    return fs::exists(folder / name / "features.npy") || fs::exists(folder / name / "logits.npy");
  };
  for (const char* name : {"train", "val", "test", "ood_val"}) {
    if (is_set(name)) sets.emplace_back(name);
  }
  std::vector<std::string> grouped;
  for (const std::string group : {"near", "far", "csid", "control"}) {
    std::error_code none;
    for (const auto& entry : fs::directory_iterator(folder / group, none)) {
      const std::string name = group + "/" + entry.path().filename().string();
      if (entry.path().filename().string()[0] != '.' && is_set(name)) grouped.push_back(name);
    }
  }
  std::sort(grouped.begin(), grouped.end());
  sets.insert(sets.end(), grouped.begin(), grouped.end());
  return sets;
}

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
    if (std::string_view(name) == "labels.npy") set.labels = hash;
  }
  return set;
}

PlannedModel feature_model(const Plan& plan, const ForeignModel& entry) {
  std::error_code ignored;
  if (!fs::is_directory(entry.features, ignored)) {
    throw Error(ErrorKind::data,
                fmt::format("{}: model.features '{}' is no folder", entry.where, entry.features.string()));
  }
  const std::vector<std::string> sets = folder_sets(entry.features);
  if (std::find(sets.begin(), sets.end(), "test") == sets.end()) {
    throw Error(
        ErrorKind::data,
        fmt::format("{}: the feature folder '{}' has no image set 'test' (test/features.npy or test/logits.npy)",
                    entry.where, entry.features.string()));
  }
  PlannedModel model = new_model(plan, entry, ModelOrigin::features, entry.seed.value_or(0));
  model.file = entry.features;
  json content = json::object();
  for (const std::string& set : sets) content[set] = read_folder_set(entry.features / set).content;
  const fs::path weight = entry.features / "head/weight.npy";
  model.has_classifier = fs::exists(weight) || fs::exists(entry.features / "test/logits.npy");
  if (fs::exists(weight)) {
    const NpyArray head(weight);
    model.cell.record.flags = check_classes(plan, weight, head.shape().empty() ? 0 : head.shape()[0]);
    content["head"] = content_hash(weight) + content_hash(entry.features / "head/bias.npy");
  }
  CellRecord& record = model.cell.record;
  record.architecture = entry.architecture.empty() ? "unknown" : entry.architecture;
  record.head = model.has_classifier ? "linear" : "none";
  const std::string hash = sha256(content.dump());
  if (entry.training == "unknown" && !entry.seed) record.training_params = "features=" + hash.substr(0, 8);
  record.label = fmt::format("{}/{}/s{}", entry.training, record.architecture, model.seed);
  model.cell.reason = fmt::format("features in {}", entry.features.string());
  record.config_json = json{
      {"kind", "features"},
      {"content", hash},
      {"architecture", record.architecture},
      {"training", record.training},
      {"training_params", record.training_params},
      {"seed", model.seed}}.dump();
  record.key = sha256(record.config_json);
  return model;
}

void check_different(const std::vector<PlannedModel>& models) {
  std::map<std::string, const PlannedModel*> seen;
  for (const PlannedModel& model : models) {
    const auto [before, added] = seen.emplace(model.cell.record.label + model.cell.record.training_params, &model);
    if (added) continue;
    throw Error(
        ErrorKind::config,
        fmt::format("two models would both be '{}': {} and {}; give them different model.training or model.seed",
                    model.cell.record.label, before->second->file.string(), model.file.string()));
  }
}

/// Group, expected count and order of a set are the benchmark's where it has the set.
const SetSpec* spec_of(const Benchmark& benchmark, const std::string& name) {
  const auto found =
      std::find_if(benchmark.sets.begin(), benchmark.sets.end(), [&](const SetSpec& set) { return set.name == name; });
  return found == benchmark.sets.end() ? nullptr : &*found;
}
}  // namespace

std::vector<PlannedModel> foreign_models(const Plan& plan) {
  std::vector<PlannedModel> models;
  for (const ForeignModel& entry : plan.experiment.models) {
    if (!entry.features.empty()) {
      models.push_back(feature_model(plan, entry));
      continue;
    }
    for (const SeedFile& file : weights_files(entry)) models.push_back(checkpoint_model(plan, entry, file));
  }
  check_different(models);
  return models;
}

Manifest feature_manifest(const Plan& plan) {
  Manifest manifest;
  std::map<std::string, FolderSet> first;
  for (const ForeignModel& entry : plan.experiment.models) {
    if (entry.features.empty()) {
      throw Error(
          ErrorKind::config,
          fmt::format("{}: models from weights and models from features do not fit one experiment; run them apart",
                      entry.where));
    }
    std::map<std::string, FolderSet> sets;
    for (const std::string& name : folder_sets(entry.features))
      sets.emplace(name, read_folder_set(entry.features / name));
    if (first.empty()) first = sets;
    const bool same =
        std::equal(first.begin(), first.end(), sets.begin(), sets.end(), [](const auto& a, const auto& b) {
          return a.first == b.first && a.second.rows == b.second.rows && a.second.labels == b.second.labels;
        });
    if (!same) {
      throw Error(ErrorKind::data,
                  fmt::format("{}: the image sets of '{}' are not those of '{}' (names, rows or labels differ)",
                              entry.where, entry.features.string(), plan.experiment.models[0].features.string()));
    }
  }
  std::vector<std::string> order;
  for (const SetSpec& set : plan.benchmark.sets) {
    if (first.contains(set.name)) {
      order.push_back(set.name);
    } else if (set.group == "near" || set.group == "far") {  // the means would be over fewer sets
      manifest.count_mismatch = true;
      if (!plan.experiment.allow_count_mismatch) {
        throw Error(
            ErrorKind::data,
            fmt::format("'{}' has no set '{}', which benchmark '{}' has ({}); set data.allow_count_mismatch=true to go "
                        "on without it, which every result will then say",
                        plan.experiment.models[0].features.string(), set.name, plan.benchmark.name, set.where));
      }
    }
  }
  for (const auto& [name, set] : first) {
    if (spec_of(plan.benchmark, name) == nullptr) order.push_back(name);
  }
  json identity = json::object();
  for (const std::string& name : order) {
    const SetSpec* spec = spec_of(plan.benchmark, name);
    const FolderSet& set = first.at(name);
    const std::size_t slash = name.find('/');
    const std::string group = spec != nullptr              ? spec->group
                              : slash == std::string::npos ? name == "ood_val" ? "ood_val" : "id"
                                                           : name.substr(0, slash);
    const std::int64_t expected = spec != nullptr ? spec->count : 0;
    if (expected > 0 && expected != set.rows) {
      manifest.count_mismatch = true;
      if (!plan.experiment.allow_count_mismatch) {
        throw Error(ErrorKind::data, fmt::format("set '{}' of '{}' has {} rows, benchmark '{}' expects {} ({}); set "
                                                 "data.allow_count_mismatch=true to go on, "
                                                 "which every result will then say",
                                                 name, plan.experiment.models[0].features.string(), set.rows,
                                                 plan.benchmark.name, expected, spec->where));
      }
    }
    const std::string hash = fmt::format("{:032}", 0).substr(set.labels.size()) + set.labels;
    manifest.sets.push_back({name, group, set.rows, set.rows, expected, 0, hash});
    identity[name] = {set.rows, set.labels};
  }
  manifest.hash = sha256("features " + identity.dump());
  return manifest;
}

}  // namespace nearfar
