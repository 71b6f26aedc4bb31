#include "run/plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/hash.h"
#include "base/text.h"
#include "run/locations.h"

namespace nearfar {
namespace {
namespace fs = std::filesystem;
using nlohmann::json;

/// "configs/x.toml:14: loss 'supcon'", from the first parameter's place where there is one.
std::string place(const std::string& where, const ParamWhere& params, std::string_view kind, std::string_view name) {
  const std::string& at = params.empty() ? where : params.begin()->second;
  return fmt::format("{}: {} '{}'", at, kind, name);
}

json images_identity(const Plan& plan, const std::vector<std::string>& sets) {
  const Benchmark& benchmark = plan.benchmark;
  json identity{{"shape", {benchmark.channels, benchmark.height, benchmark.width}},
                {"mean", benchmark.mean},
                {"std", benchmark.std},
                {"classes", benchmark.classes.size()}};
  for (const std::string& set : sets) identity["sets"][set] = plan.entry(set).hash;
  return identity;
}

json plugin_identity(const PluginDescription& plugin, const ParamMap& params) {
  return {{"name", plugin.name}, {"version", plugin.version}, {"source", plugin.source_hash}, {"params", json::parse(params_json(params))}};
}

void identify(CellRecord& record, const json& identity) {
  record.config_json = identity.dump();
  record.key = sha256(record.config_json);
}

PlannedModel plan_model(const Plan& plan, const LossChoice& loss, std::int64_t seed) {
  PlannedModel model;
  model.loss = &loss;
  model.seed = seed;
  model.plugin = &plan.catalog.find("loss", loss.name, loss.where);
  NEARFAR_ASSERT(model.plugin->traits.has_value());
  model.params = validate(model.plugin->params, loss.params, place(loss.where, loss.param_where, "loss", loss.name)).values();
  const bool linear = model.plugin->traits->head == "linear";
  CellRecord& record = model.cell.record;
  record.kind = "train";
  record.label = fmt::format("{}/{}/s{}", loss.name, plan.experiment.model, seed);
  record.benchmark = plan.benchmark.name;
  record.data_hash = plan.manifest.hash;
  record.architecture = plan.experiment.model;
  record.head = linear ? "linear" : loss.recipe.projection;
  record.training = model.plugin->name;
  record.training_params = canonical_params(non_default_params(model.plugin->params, model.params));
  record.recipe = plan.experiment.recipe;
  record.seed = seed;
  record.flags = plan.flags();
  std::vector<std::string> sets{"train", "test"};
  if (std::any_of(plan.manifest.sets.begin(), plan.manifest.sets.end(), [](const ManifestEntry& entry) { return entry.name == "val"; }))
    sets.emplace_back("val");
  identify(record, {{"kind", "train"},
                    {"numerics", kNumericsVersion},
                    {"images", images_identity(plan, sets)},
                    {"architecture", plan.experiment.model},
                    {"loss", plugin_identity(*model.plugin, model.params)},
                    {"recipe", json::parse(recipe_identity(loss.recipe))},
                    {"recipe_name", plan.experiment.recipe},
                    {"seed", seed},
                    {"dtype", plan.experiment.dtype},
                    {"deterministic", plan.experiment.deterministic}});
  return model;
}

PlannedEval plan_eval(const Plan& plan, const PlannedModel& model, const PostprocessorChoice& choice) {
  PlannedEval eval;
  eval.plugin = &plan.catalog.find("postprocessor", choice.name, choice.where);
  eval.params =
      validate(eval.plugin->params, choice.params, place(choice.where, choice.param_where, "postprocessor", choice.name)).values();
  CellRecord& record = eval.cell.record;
  record = model.cell.record;
  record.kind = "eval";
  record.train_key = model.cell.record.key;
  record.label += " " + eval.plugin->name;
  record.postprocessor = eval.plugin->name;
  record.postprocessor_params = canonical_params(non_default_params(eval.plugin->params, eval.params));
  identify(record, {{"kind", "eval"},
                    {"numerics", kNumericsVersion},
                    {"model", model.cell.record.key},
                    {"data", plan.manifest.hash},
                    {"protocols", plan.experiment.protocols},
                    {"postprocessor", plugin_identity(*eval.plugin, eval.params)},
                    {"dtype", plan.experiment.dtype},
                    {"deterministic", plan.experiment.deterministic}});
  if (model.plugin->traits->head != "linear") {
    for (const std::string_view need : {"logits", "head-weights"}) {
      if (!eval.plugin->needs_one(need)) continue;
      eval.applicable = false;
      eval.cell.state = CellState::not_applicable;
      eval.cell.reason = fmt::format("needs {}; a model trained with '{}' has no linear head", need, model.plugin->name);
      break;
    }
  }
  for (const std::string_view need : {"map-statistics", "input-gradients"}) {
    if (eval.plugin->needs_one(need)) {
      throw Error(ErrorKind::plugin,
                  fmt::format("postprocessor '{}' needs {}, which this version of nearfar does not collect; leave it out of the list",
                              eval.plugin->name, need));
    }
  }
  return eval;
}

/// Empty if every file of the finished cell is there with the size it had.
std::string missing_file(const Plan& plan, const CellDetails& details) {
  std::error_code code;
  for (const ArtifactRow& artifact : details.artifacts) {
    const auto size = fs::file_size(plan.out / artifact.path, code);
    if (code) return fmt::format("{} is gone", artifact.path);
    if (static_cast<std::int64_t>(size) != artifact.bytes)
      return fmt::format("{} has {} bytes, had {}", artifact.path, size, artifact.bytes);
  }
  for (const ScoreSetRow& scores : details.scores) {
    if (!fs::exists(plan.out / scores.path, code)) return fmt::format("{} is gone", scores.path);
  }
  return "";
}

void compare(const Plan& plan, const Store* store, PlannedCell& cell) {
  cell.will_run = true;
  cell.reason = "new";
  const auto details = store != nullptr && store->state(cell.record.key) ? store->find(cell.record.key) : std::nullopt;
  if (!details) return;
  cell.state = details->status.state;
  switch (cell.state) {
    case CellState::ok: {
      const std::string missing = missing_file(plan, *details);
      cell.will_run = !missing.empty();
      cell.reason = cell.will_run ? "done, but " + missing : "done";
      break;
    }
    case CellState::planned:
      cell.reason = details->status.attempt > 0 ? "interrupted before" : "planned before";
      break;
    case CellState::running:
      cell.reason = fmt::format("running ({}), goes on if that process is gone", details->status.owner);
      break;
    default:
      cell.reason = fmt::format("{} before: {}", state_name(cell.state), details->status.message);
      break;
  }
}

json cell_json(const PlannedCell& cell) {
  return {{"key", cell.record.key},           {"label", cell.record.label}, {"kind", cell.record.kind},
          {"training", cell.record.training}, {"seed", cell.record.seed},   {"postprocessor", cell.record.postprocessor},
          {"state", state_name(cell.state)},  {"will_run", cell.will_run},  {"reason", cell.reason}};
}
}  // namespace

std::string Plan::flags() const {
  std::vector<std::string> flags;
  if (manifest.count_mismatch) flags.emplace_back("count-mismatch");
  if (experiment.limit > 0) flags.emplace_back("partial");
  return join(flags, ";");
}

const ManifestEntry& Plan::entry(std::string_view set) const {
  const auto found =
      std::find_if(manifest.sets.begin(), manifest.sets.end(), [&](const ManifestEntry& candidate) { return candidate.name == set; });
  NEARFAR_ASSERT(found != manifest.sets.end());
  return *found;
}

std::vector<std::string> Plan::scored_sets() const {
  const bool fsood = std::find(experiment.protocols.begin(), experiment.protocols.end(), "fsood") != experiment.protocols.end();
  std::vector<std::string> sets{"test"};
  for (const std::string_view group : {"near", "far", "csid", "control"}) {
    if (group == "csid" && !fsood) continue;
    for (const ManifestEntry& candidate : manifest.sets) {
      if (candidate.group == group) sets.push_back(candidate.name);
    }
  }
  return sets;
}

BenchmarkRecord Plan::benchmark_record() const {
  BenchmarkRecord record{.name = benchmark.name, .data_hash = manifest.hash, .definition_json = {}, .sets = {}};
  json definition{
      {"title", benchmark.title}, {"classes", benchmark.classes}, {"shape", {benchmark.channels, benchmark.height, benchmark.width}}};
  for (const ManifestEntry& set : manifest.sets) {
    definition["sets"].push_back({{"name", set.name}, {"count", set.count}, {"expected", set.expected}, {"hash", set.hash}});
    const std::string short_name = set.name.substr(set.name.find('/') + 1);
    record.sets.push_back({.name = set.name.find('/') == std::string::npos ? set.name : short_name,
                           .group = set.group,
                           .role = set.group == "control" ? "a check on the detector, in no mean" : "",
                           .image_count = set.count});
  }
  record.definition_json = definition.dump();
  return record;
}

std::int64_t Plan::cell_count() const {
  std::int64_t count = 0;
  for (const PlannedModel& model : models)
    count += 1 + std::count_if(model.evals.begin(), model.evals.end(), [](const PlannedEval& eval) { return eval.applicable; });
  return count;
}

std::int64_t Plan::cells_to_run() const {
  std::int64_t count = 0;
  for (const PlannedModel& model : models) {
    count += model.cell.will_run ? 1 : 0;
    count += std::count_if(model.evals.begin(), model.evals.end(), [](const PlannedEval& eval) { return eval.cell.will_run; });
  }
  return count;
}

Plan make_plan(const PlanRequest& request) {
  Plan plan;
  plan.experiment = load_experiment(request.files, request.overrides);
  const Experiment& experiment = plan.experiment;
  if (!experiment.features.empty()) {
    throw Error(ErrorKind::config,
                fmt::format("model.features = '{}': this version of `nearfar run` evaluates only models that it trained; score a feature "
                            "folder with `nearfar score NAME --features {} --set SET -o FILE`",
                            experiment.features.string(), experiment.features.string()));
  }
  plan.catalog = read_catalog(request.plugin_dirs);
  plan.benchmark = load_benchmark(experiment.benchmark, benchmark_folders(request.files));
  plan.data_options = {
      .data_root = experiment.data_root, .limit = experiment.limit, .allow_count_mismatch = experiment.allow_count_mismatch};
  // Names and parameters are checked before gigabytes are hashed: a typo is told at once.
  for (const LossChoice& loss : experiment.losses) static_cast<void>(plan.catalog.find("loss", loss.name, loss.where));
  for (const PostprocessorChoice& choice : experiment.postprocessors)
    static_cast<void>(plan.catalog.find("postprocessor", choice.name, choice.where));
  plan.manifest = read_manifest(plan.benchmark, plan.data_options);
  plan.out = !request.out.empty() ? request.out : experiment.out;
  plan.database = !request.database.empty() ? request.database : plan.out / "results.sqlite";

  std::int64_t applicable = 0;
  for (const std::int64_t seed : experiment.seeds) {
    for (const LossChoice& loss : plan.experiment.losses) {
      PlannedModel model = plan_model(plan, loss, seed);
      for (const PostprocessorChoice& choice : experiment.postprocessors) {
        model.evals.push_back(plan_eval(plan, model, choice));
        applicable += model.evals.back().applicable ? 1 : 0;
      }
      plan.models.push_back(std::move(model));
    }
  }
  if (plan.models.empty())
    throw Error(ErrorKind::nothing, fmt::format("experiment '{}' names no loss and no seed: nothing to run", experiment.name));
  if (applicable == 0 && !experiment.postprocessors.empty()) {
    throw Error(ErrorKind::nothing, fmt::format("no postprocessor of experiment '{}' can score these models: {}", experiment.name,
                                                plan.models[0].evals[0].cell.reason));
  }
  return plan;
}

void compare_with_store(Plan& plan, const Store* store) {
  for (PlannedModel& model : plan.models) {
    compare(plan, store, model.cell);
    for (PlannedEval& eval : model.evals) {
      if (!eval.applicable) continue;
      compare(plan, store, eval.cell);
      if (model.cell.will_run && !eval.cell.will_run) {
        eval.cell.will_run = true;  // its model is made anew: whether that changes a number is for the run to show
        eval.cell.reason = "its model is trained again";
      }
    }
  }
}

fs::path cell_folder(std::string_view key) { return fs::path("cells") / key.substr(0, 16); }
fs::path feature_folder(std::string_view train_key) { return fs::path("cache") / train_key.substr(0, 16); }

std::string plan_text(const Plan& plan) {
  std::vector<std::vector<std::string>> rows{{"cell", "kind", "label", "runs", "why"}};
  const auto add = [&](const PlannedCell& cell) {
    rows.push_back({cell.record.key.substr(0, 12), cell.record.kind, cell.record.label,
                    cell.will_run                             ? "yes"
                    : cell.state == CellState::not_applicable ? "n/a"
                                                              : "no",
                    cell.reason});
  };
  for (const PlannedModel& model : plan.models) {
    add(model.cell);
    for (const PlannedEval& eval : model.evals) add(eval.cell);
  }
  return fmt::format("experiment {} on {} ({})\n\n{}\n{} of {} cells to run; output in {}\n", plan.experiment.name, plan.benchmark.name,
                     plan.benchmark.title, table(rows, {false, false, false, false, false}), plan.cells_to_run(), plan.cell_count(),
                     plan.out.string());
}

std::string plan_json(const Plan& plan) {
  json cells = json::array();
  for (const PlannedModel& model : plan.models) {
    cells.push_back(cell_json(model.cell));
    for (const PlannedEval& eval : model.evals) cells.push_back(cell_json(eval.cell));
  }
  return json{{"experiment", plan.experiment.name},
              {"benchmark", plan.benchmark.name},
              {"data_hash", plan.manifest.hash},
              {"config_hash", plan.experiment.hash},
              {"out", plan.out.string()},
              {"cells_to_run", plan.cells_to_run()},
              {"cells", cells}}
      .dump(2);
}

}  // namespace nearfar
