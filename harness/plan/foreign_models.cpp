#include "plan/foreign_models.h"

#include "base/error.h"
#include "base/hash.h"
#include "base/locations.h"
#include "plan/identity.h"
#include "wire/jobs.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>

namespace nearfar {
namespace {
namespace fs = std::filesystem;

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
wire::WeightsFacts describe_weights(const Benchmark& benchmark, const ForeignModel& model, const fs::path& file,
                                    const AskEngine& ask) {
  const wire::WeightsJob job{.file = fs::absolute(file).string(),
                             .architecture = model.architecture,
                             .mappings = (share() / "configs/models").string(),
                             .height = benchmark.height,
                             .width = benchmark.width,
                             .channels = benchmark.channels,
                             .output = ""};
  wire::WeightsFacts facts;
  wire::read(ask("weights", wire::to_json(job)), facts, "weights");
  return facts;
}

ModelPlan checkpoint_model(const Plan& plan, std::size_t benchmark, const ForeignModel& entry, const SeedFile& found,
                           const AskEngine& ask) {
  const Benchmark& on = plan.benchmarks[benchmark].benchmark;
  ModelPlan model{
      .origin = ModelOrigin::checkpoint, .benchmark = benchmark, .training = entry.training, .recipe = "foreign"};
  model.seed = found.seed;
  model.file = found.file;
  model.weights = sha256_file(found.file);
  const wire::WeightsFacts facts = describe_weights(on, entry, found.file, ask);
  model.has_classifier = facts.head == "linear";
  if (model.has_classifier) model.flags = check_classes(plan, benchmark, found.file, facts.classes);
  model.architecture = facts.architecture;
  model.head = model.has_classifier ? "linear" : facts.projection == "linear" ? "linear projection" : facts.projection;
  // Of a nameless model without a seed, the weights are all that tells it from another one.
  if (entry.training == "unknown" && !found.numbered) model.training_params = "weights=" + model.weights.substr(0, 8);
  model.label = fmt::format("{}/{}/s{}", entry.training, model.architecture, found.seed);
  model.note = fmt::format("weights in {} ({})", found.file.string(), facts.mapping);
  model.key = sha256(json_object({{"kind", "\"checkpoint\""},
                                  {"weights", json_text(model.weights)},
                                  {"architecture", json_text(model.architecture)},
                                  {"benchmark", json_text(on.name)},
                                  {"training", json_text(model.training)},
                                  {"training_params", json_text(model.training_params)},
                                  {"seed", std::to_string(found.seed)}}));
  return model;
}

void check_different(const std::vector<ModelPlan>& models) {
  std::map<std::string, const ModelPlan*> seen;
  for (const ModelPlan& model : models) {
    const auto [before, added] =
        seen.emplace(fmt::format("{} {} {}", model.benchmark, model.label, model.training_params), &model);
    if (added) continue;
    throw Error(
        ErrorKind::config,
        fmt::format("two models would both be '{}': {} and {}; give them different model.training or model.seed",
                    model.label, before->second->file.string(), model.file.string()));
  }
}

}  // namespace

std::string check_classes(const Plan& plan, std::size_t benchmark, const fs::path& file, std::int64_t classes) {
  const Benchmark& on = plan.benchmarks[benchmark].benchmark;
  const auto expected = static_cast<std::int64_t>(on.classes.size());
  if (classes == expected) return "";
  if (plan.experiment.allow_count_mismatch) return "class-mismatch";
  throw Error(
      ErrorKind::data,
      fmt::format("{}: is a model of {} classes, benchmark '{}' has {}; choose the benchmark it was trained on, "
                  "or set data.allow_count_mismatch=true, which every result will then say",
                  file.string(), classes, on.name, expected));
}

std::vector<ModelPlan> foreign_models(const Plan& plan, const AskEngine& ask, bool trust) {
  std::vector<ModelPlan> models;
  for (std::size_t benchmark = 0; benchmark < plan.benchmarks.size(); ++benchmark) {
    for (const ForeignModel& entry : plan.experiment.foreign) {
      if (!entry.features.empty()) {
        models.push_back(feature_model(plan, benchmark, entry));
        continue;
      }
      if (!entry.file.empty() || !entry.torchscript.empty()) {
        models.push_back(network_model(plan, benchmark, entry, ask, trust));
        continue;
      }
      for (const SeedFile& file : weights_files(entry)) {
        models.push_back(checkpoint_model(plan, benchmark, entry, file, ask));
      }
    }
  }
  check_different(models);
  return models;
}

}  // namespace nearfar
