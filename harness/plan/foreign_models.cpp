#include "plan/foreign_models.h"

#include "base/error.h"
#include "base/hash.h"
#include "base/locations.h"
#include "plan/identity.h"
#include "plan/model_names.h"
#include "plan/weights_files.h"
#include "wire/jobs.h"

#include <fmt/format.h>

#include <iterator>
#include <map>

namespace nearfar {
namespace {
namespace fs = std::filesystem;

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

ModelPlan checkpoint_model(const Plan& plan, std::size_t benchmark, const ForeignModel& entry, const WeightsFile& found,
                           const AskEngine& ask) {
  const Benchmark& on = plan.benchmarks[benchmark].benchmark;
  ModelPlan model{
      .origin = ModelOrigin::checkpoint, .benchmark = benchmark, .training = shown_name(entry), .recipe = "foreign"};
  model.seed = found.seed;
  model.file = found.file;
  model.weights = sha256_file(found.file);
  const wire::WeightsFacts facts = describe_weights(on, entry, found.file, ask);
  model.has_classifier = facts.head == "linear";
  if (model.has_classifier) model.flags = check_classes(plan, benchmark, found.file, facts.classes);
  model.architecture = facts.architecture;
  model.head = model.has_classifier ? "linear" : facts.projection == "linear" ? "linear projection" : facts.projection;
  model.note =
      fmt::format("weights in {} ({})", found.file.string(), facts.mapping.empty() ? "nearfar's" : facts.mapping);
  for (const std::string& more : {facts.taken, found.choice}) {
    if (!more.empty()) model.note += "; " + more;
  }
  // Neither its name nor its seed changes what it computes.
  model.key = sha256(json_object({{"kind", "\"checkpoint\""},
                                  {"weights", json_text(model.weights)},
                                  {"architecture", json_text(model.architecture)},
                                  {"benchmark", json_text(on.name)}}));
  return model;
}

/// The same cells would stand there twice.
void check_different(const std::vector<ModelPlan>& models) {
  std::map<std::string, const ModelPlan*> seen;
  for (const ModelPlan& model : models) {
    const auto [before, added] = seen.emplace(model.key, &model);
    if (added) continue;
    throw Error(ErrorKind::config, fmt::format("'{}' and '{}' hold the same model; name it once",
                                               before->second->file.string(), model.file.string()));
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
  std::vector<std::vector<WeightsFile>> files;
  for (const ForeignModel& entry : plan.experiment.foreign) {
    files.push_back(entry.checkpoint.empty() ? std::vector<WeightsFile>{} : weights_files(entry));
  }
  std::vector<ModelPlan> models;
  for (std::size_t benchmark = 0; benchmark < plan.benchmarks.size(); ++benchmark) {
    std::vector<ModelPlan> here;
    for (std::size_t i = 0; i < files.size(); ++i) {
      const ForeignModel& entry = plan.experiment.foreign[i];
      if (!entry.features.empty()) here.push_back(feature_model(plan, benchmark, entry));
      if (!entry.file.empty() || !entry.torchscript.empty())
        here.push_back(network_model(plan, benchmark, entry, ask, trust));
      for (const WeightsFile& file : files[i]) here.push_back(checkpoint_model(plan, benchmark, entry, file, ask));
    }
    name_models(here);
    models.insert(models.end(), std::make_move_iterator(here.begin()), std::make_move_iterator(here.end()));
  }
  check_different(models);
  return models;
}

}  // namespace nearfar
