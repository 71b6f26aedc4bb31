#include "run/plan.h"

#include "base/error.h"
#include "base/text.h"
#include "run/foreign_models.h"
#include "run/locations.h"
#include "run/plan_cells.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <set>

namespace nearfar {
namespace {
namespace fs = std::filesystem;
using nlohmann::json;

/// Protocols are the benchmark's; here they get their place in the config into the message.
void check_protocols(const Plan& plan) {
  for (const std::string& name : plan.experiment.protocols) static_cast<void>(plan.benchmark.protocol(name));
}

bool has_set(const Benchmark& benchmark, std::string_view name) {
  return std::any_of(benchmark.sets.begin(), benchmark.sets.end(),
                     [&](const SetSpec& set) { return set.name == name; });
}

/// Sets whose files must be there: what is trained on, scored, fitted or searched on.
std::vector<std::string> needed_sets(const Plan& plan) {
  std::vector<std::string> needed;
  const auto need = [&](std::string_view name, std::string_view why) {
    if (std::find(needed.begin(), needed.end(), name) != needed.end()) return;
    if (!has_set(plan.benchmark, name)) {
      throw Error(ErrorKind::config, fmt::format("{}: benchmark '{}' has no set '{}', which {} needs",
                                                 plan.experiment.benchmark_where, plan.benchmark.name, name, why));
    }
    needed.emplace_back(name);
  };
  for (const SetSpec& set : plan.benchmark.sets) {
    if (set.group == "near" || set.group == "far" || set.group == "control") need(set.name, "");
  }
  need("test", "an evaluation");
  for (const ProtocolSpec& protocol : plan.protocols()) {
    for (const std::string& set : protocol.csid) need(set, "its protocol");
  }
  if (!plan.experiment.losses.empty()) {
    need("train", "training");
    if (has_set(plan.benchmark, "val")) need("val", "training");
  }
  for (const PlannedModel& model : plan.models) {
    if (model.origin == ModelOrigin::checkpoint && !model.has_classifier)
      need("train", "accuracy by nearest class mean");
  }
  for (const PostprocessorChoice& choice : plan.experiment.postprocessors) {
    const PluginDescription& plugin = plan.catalog.find("postprocessor", choice.name, choice.where);
    const std::string who = fmt::format("postprocessor '{}'", choice.name);
    if (plugin.needs_one("train")) need("train", who);
    if (plugin.needs_one("validation")) need("val", who);
    if (!grid_of(plugin, choice).empty()) {
      need("val", "the search of parameters of " + who);
      need("ood_val", "the search of parameters of " + who);
    }
  }
  return needed;
}

void add_evals(Plan& plan, PlannedModel& model, std::int64_t& applicable) {
  for (const PostprocessorChoice& choice : plan.experiment.postprocessors) {
    model.evals.push_back(plan_eval(plan, model, choice));
    applicable += model.evals.back().applicable ? 1 : 0;
  }
}

}  // namespace

std::string Plan::flags() const {
  std::vector<std::string> flags;
  if (manifest.count_mismatch) flags.emplace_back("count-mismatch");
  if (experiment.limit > 0) flags.emplace_back("partial");
  return join(flags, ";");
}

const ManifestEntry& Plan::entry(std::string_view set) const {
  const auto found = std::find_if(manifest.sets.begin(), manifest.sets.end(),
                                  [&](const ManifestEntry& candidate) { return candidate.name == set; });
  if (found == manifest.sets.end()) {
    throw Error(
        ErrorKind::data,
        fmt::format("there is no image set '{}' in the data of experiment '{}', but something in it needs that set",
                    set, experiment.name));
  }
  return *found;
}

std::vector<ProtocolSpec> Plan::protocols() const {
  std::vector<ProtocolSpec> result;
  for (const std::string& name : experiment.protocols) result.push_back(benchmark.protocol(name));
  return result;
}

std::vector<std::string> Plan::scored_sets() const {
  std::set<std::string> pooled;
  for (const ProtocolSpec& protocol : protocols()) pooled.insert(protocol.csid.begin(), protocol.csid.end());
  std::vector<std::string> sets{"test"};
  for (const std::string_view group : {"near", "far", "csid", "control"}) {
    for (const ManifestEntry& candidate : manifest.sets) {
      if (candidate.group == group && (group != "csid" || pooled.contains(candidate.name)))
        sets.push_back(candidate.name);
    }
  }
  return sets;
}

std::vector<std::string> Plan::fit_sets(const PlannedModel& model, const PlannedEval& eval) const {
  std::vector<std::string> sets;
  if (eval.plugin->needs_one("train") || (!model.has_classifier && model.origin != ModelOrigin::trained))
    sets.emplace_back("train");
  if (eval.plugin->needs_one("validation") || !eval.grid.empty()) sets.emplace_back("val");
  if (!eval.grid.empty()) sets.emplace_back("ood_val");
  return sets;
}

BenchmarkRecord Plan::benchmark_record() const {
  BenchmarkRecord record{.name = benchmark.name, .data_hash = manifest.hash, .definition_json = {}, .sets = {}};
  json definition{{"title", benchmark.title},
                  {"classes", benchmark.classes},
                  {"shape", {benchmark.channels, benchmark.height, benchmark.width}}};
  const auto add = [&](const std::string& name, const std::string& group, std::int64_t count) {
    const std::size_t slash = name.find('/');
    record.sets.push_back({.name = slash == std::string::npos ? name : name.substr(slash + 1),
                           .group = group,
                           .role = group == "control" ? "a check on the detector, in no mean" : "",
                           .image_count = count});
  };
  std::set<std::string> known;
  for (const SetSpec& set : benchmark.sets) {  // all of them: which ones a plan reads depends on its postprocessors
    const auto found = std::find_if(manifest.sets.begin(), manifest.sets.end(),
                                    [&](const ManifestEntry& entry) { return entry.name == set.name; });
    add(set.name, set.group, found != manifest.sets.end() ? found->count : set.count);
    known.insert(set.name);
  }
  for (const ManifestEntry& set : manifest.sets) {
    definition["sets"].push_back(
        {{"name", set.name}, {"count", set.count}, {"expected", set.expected}, {"hash", set.hash}});
    if (!known.contains(set.name)) add(set.name, set.group, set.count);
  }
  record.definition_json = definition.dump();
  return record;
}

std::int64_t Plan::cell_count() const {
  std::int64_t count = 0;
  for (const PlannedModel& model : models) {
    count += model.origin == ModelOrigin::trained ? 1 : 0;
    count +=
        std::count_if(model.evals.begin(), model.evals.end(), [](const PlannedEval& eval) { return eval.applicable; });
  }
  return count;
}

std::int64_t Plan::cells_to_run() const {
  std::int64_t count = 0;
  for (const PlannedModel& model : models) {
    count += model.cell.will_run ? 1 : 0;
    count += std::count_if(model.evals.begin(), model.evals.end(),
                           [](const PlannedEval& eval) { return eval.cell.will_run; });
  }
  return count;
}

namespace {
LoadOptions load_options(const Experiment& experiment) {
  return {.data_root = experiment.data_root,
          .limit = experiment.limit,
          .allow_count_mismatch = experiment.allow_count_mismatch,
          .on_unreadable = experiment.on_unreadable == "skip" ? OnUnreadable::skip : OnUnreadable::fail,
          .follow_links = experiment.follow_links,
          .packed = experiment.packed,
          .threads = static_cast<int>(experiment.threads)};
}

bool from_features(const Experiment& experiment) {
  return std::any_of(experiment.models.begin(), experiment.models.end(),
                     [](const ForeignModel& model) { return !model.features.empty(); });
}
}  // namespace

Plan make_plan(const PlanRequest& request) {
  Plan plan;
  plan.experiment = load_experiment(request.files, request.overrides);
  const Experiment& experiment = plan.experiment;
  plan.catalog = read_catalog(request.plugin_dirs);
  plan.benchmark = load_benchmark(experiment.benchmark, benchmark_folders(request.files));
  plan.data_options = load_options(experiment);
  // Names and parameters are checked before gigabytes are hashed: a typo is told at once.
  check_protocols(plan);
  for (const LossChoice& loss : experiment.losses) static_cast<void>(plan.catalog.find("loss", loss.name, loss.where));
  for (const PostprocessorChoice& choice : experiment.postprocessors) {
    PlannedEval eval;
    eval.plugin = &plan.catalog.find("postprocessor", choice.name, choice.where);
    plan_params(eval, choice);
  }
  plan.models = foreign_models(plan);
  plan.manifest = from_features(experiment) ? feature_manifest(plan)
                                            : read_manifest(plan.benchmark, needed_sets(plan), plan.data_options);
  for (const ProtocolSpec& protocol : plan.protocols()) {
    for (const std::string& set : protocol.csid) static_cast<void>(plan.entry(set));  // pooled whole or not at all
  }
  plan.out = !request.out.empty() ? request.out : experiment.out;
  plan.database = !request.database.empty() ? request.database : plan.out / "results.sqlite";

  std::int64_t applicable = 0;
  for (PlannedModel& model : plan.models) {
    model.cell.record.data_hash = plan.manifest.hash;
    std::string& flags = model.cell.record.flags;
    if (!flags.empty() && !plan.flags().empty()) flags += ";";
    flags += plan.flags();
    add_evals(plan, model, applicable);
  }
  for (const std::int64_t seed : experiment.seeds) {
    for (const LossChoice& loss : plan.experiment.losses) {
      PlannedModel model = plan_model(plan, loss, seed);
      add_evals(plan, model, applicable);
      plan.models.push_back(std::move(model));
    }
  }
  if (plan.models.empty()) {
    throw Error(ErrorKind::nothing, fmt::format("experiment '{}' names no loss to train with and no model to evaluate: "
                                                "give losses=ce, or model.checkpoint=FILE, or "
                                                "model.features=DIR",
                                                experiment.name));
  }
  if (applicable == 0 && (!experiment.postprocessors.empty() || !experiment.models.empty())) {
    const std::string why = experiment.postprocessors.empty() ? "none is named" : plan.models[0].evals[0].cell.reason;
    throw Error(ErrorKind::nothing,
                fmt::format("no postprocessor of experiment '{}' can score these models: {}", experiment.name, why));
  }
  return plan;
}

fs::path cell_folder(std::string_view key) { return fs::path("cells") / key.substr(0, 16); }
fs::path feature_folder(std::string_view model_key) { return fs::path("cache") / model_key.substr(0, 16); }

}  // namespace nearfar
