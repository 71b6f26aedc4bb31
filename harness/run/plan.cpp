#include "run/plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "base/error.h"
#include "base/hash.h"
#include "base/text.h"
#include "run/foreign_models.h"
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

/// Of the sets that a cell looks at: pixels, labels and what is done to them.
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
  model.has_classifier = model.plugin->traits->head == "linear";
  CellRecord& record = model.cell.record;
  record.kind = "train";
  record.label = fmt::format("{}/{}/s{}", loss.name, plan.experiment.model, seed);
  record.benchmark = plan.benchmark.name;
  record.data_hash = plan.manifest.hash;
  record.architecture = plan.experiment.model;
  record.head = model.has_classifier ? "linear" : loss.recipe.projection;
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
                    {"on_unreadable", plan.experiment.on_unreadable},
                    {"recipe", json::parse(recipe_identity(loss.recipe))},
                    {"recipe_name", plan.experiment.recipe},
                    {"seed", seed},
                    {"dtype", plan.experiment.dtype},
                    {"deterministic", plan.experiment.deterministic}});
  return model;
}

/// The grid that the choice asks for; empty = no search.
ParamGrid grid_of(const PluginDescription& plugin, const PostprocessorChoice& choice) {
  if (choice.tune.mode == TuneChoice::Mode::openood) return plugin.tuned ? plugin.sweep : ParamGrid{};
  if (choice.tune.mode == TuneChoice::Mode::none) return {};
  std::vector<ParamGrid::Axis> axes;
  for (const auto& [name, values] : choice.tune.axes) axes.push_back({name, values});
  return checked_grid(plugin.params, std::move(axes), fmt::format("{}: tune of postprocessor '{}'", choice.tune.where, choice.name));
}

/// Grid and parameters; a parameter that is searched cannot be given too (with OpenOOD's grid, giving it means: do not search).
void plan_params(PlannedEval& eval, const PostprocessorChoice& choice) {
  const std::string at = place(choice.where, choice.param_where, "postprocessor", choice.name);
  eval.params = validate(eval.plugin->params, choice.params, at).values();
  eval.grid = grid_of(*eval.plugin, choice);
  if (choice.tune.mode == TuneChoice::Mode::openood) {
    std::erase_if(eval.grid.axes, [&](const ParamGrid::Axis& axis) { return choice.params.contains(axis.name); });
  }
  for (const ParamGrid::Axis& axis : eval.grid.axes) {
    if (choice.params.contains(axis.name)) {
      throw Error(ErrorKind::config, fmt::format("{}: '{}' is both given and searched ({}); keep one", at, axis.name, choice.tune.where));
    }
    eval.params.erase(axis.name);
  }
}

/// What a leaderboard shows: parameters other than the default, and what was searched.
std::string shown_params(const PlannedEval& eval, const PostprocessorChoice& choice) {
  ParamMap shown = non_default_params(eval.plugin->params, eval.params);
  if (!eval.grid.empty()) {
    std::string grid = grid_text(eval.grid);
    std::replace(grid.begin(), grid.end(), ';', ' ');
    const bool whole = choice.tune.mode == TuneChoice::Mode::openood && eval.grid == eval.plugin->sweep;
    shown.emplace("tune", whole ? "openood" : grid);
  }
  return canonical_params(shown);
}

void check_applicable(const PlannedModel& model, PlannedEval& eval) {
  for (const std::string_view need : {"map-statistics", "input-gradients"}) {
    if (eval.plugin->needs_one(need)) {
      throw Error(ErrorKind::plugin,
                  fmt::format("postprocessor '{}' needs {}, which this version of nearfar does not collect; leave it out of the list",
                              eval.plugin->name, need));
    }
  }
  if (model.has_classifier) return;
  for (const std::string_view need : {"logits", "head-weights"}) {
    if (!eval.plugin->needs_one(need)) continue;
    eval.applicable = false;
    eval.cell.state = CellState::not_applicable;
    eval.cell.reason = fmt::format("needs {}; {} has no linear head", need, model.cell.record.label);
    return;
  }
}

PlannedEval plan_eval(const Plan& plan, const PlannedModel& model, const PostprocessorChoice& choice) {
  PlannedEval eval;
  eval.plugin = &plan.catalog.find("postprocessor", choice.name, choice.where);
  plan_params(eval, choice);
  CellRecord& record = eval.cell.record;
  record = model.cell.record;
  record.kind = "eval";
  record.train_key = model.origin == ModelOrigin::trained ? model.cell.record.key : "";
  record.label += " " + eval.plugin->name;
  record.postprocessor = eval.plugin->name;
  record.postprocessor_params = shown_params(eval, choice);
  std::vector<std::string> sets = plan.scored_sets();
  for (const std::string& set : plan.fit_sets(model, eval)) sets.push_back(set);
  json protocols = json::object();
  for (const ProtocolSpec& protocol : plan.protocols()) protocols[protocol.name] = protocol.csid;
  json identity{{"kind", "eval"},
                {"numerics", kNumericsVersion},
                {"model", model.cell.record.key},
                {"images", images_identity(plan, sets)},
                {"protocols", protocols},
                {"postprocessor", plugin_identity(*eval.plugin, eval.params)},
                {"on_unreadable", plan.experiment.on_unreadable},
                {"dtype", plan.experiment.dtype},
                {"deterministic", plan.experiment.deterministic}};
  if (!eval.grid.empty()) identity["grid"] = grid_text(eval.grid);
  identify(record, identity);
  check_applicable(model, eval);
  return eval;
}

/// Protocols are the benchmark's; here they get their place in the config into the message.
void check_protocols(const Plan& plan) {
  for (const std::string& name : plan.experiment.protocols) static_cast<void>(plan.benchmark.protocol(name));
}

bool has_set(const Benchmark& benchmark, std::string_view name) {
  return std::any_of(benchmark.sets.begin(), benchmark.sets.end(), [&](const SetSpec& set) { return set.name == name; });
}

/// Sets whose files must be there: what is trained on, scored, fitted or searched on.
std::vector<std::string> needed_sets(const Plan& plan) {
  std::vector<std::string> needed;
  const auto need = [&](std::string_view name, std::string_view why) {
    if (std::find(needed.begin(), needed.end(), name) != needed.end()) return;
    if (!has_set(plan.benchmark, name)) {
      throw Error(ErrorKind::config, fmt::format("{}: benchmark '{}' has no set '{}', which {} needs", plan.experiment.benchmark_where,
                                                 plan.benchmark.name, name, why));
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
    if (model.origin == ModelOrigin::checkpoint && !model.has_classifier) need("train", "accuracy by nearest class mean");
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
  if (found == manifest.sets.end()) {
    throw Error(
        ErrorKind::data,
        fmt::format("there is no image set '{}' in the data of experiment '{}', but something in it needs that set", set, experiment.name));
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
      if (candidate.group == group && (group != "csid" || pooled.contains(candidate.name))) sets.push_back(candidate.name);
    }
  }
  return sets;
}

std::vector<std::string> Plan::fit_sets(const PlannedModel& model, const PlannedEval& eval) const {
  std::vector<std::string> sets;
  if (eval.plugin->needs_one("train") || (!model.has_classifier && model.origin != ModelOrigin::trained)) sets.emplace_back("train");
  if (eval.plugin->needs_one("validation") || !eval.grid.empty()) sets.emplace_back("val");
  if (!eval.grid.empty()) sets.emplace_back("ood_val");
  return sets;
}

BenchmarkRecord Plan::benchmark_record() const {
  BenchmarkRecord record{.name = benchmark.name, .data_hash = manifest.hash, .definition_json = {}, .sets = {}};
  json definition{
      {"title", benchmark.title}, {"classes", benchmark.classes}, {"shape", {benchmark.channels, benchmark.height, benchmark.width}}};
  const auto add = [&](const std::string& name, const std::string& group, std::int64_t count) {
    const std::size_t slash = name.find('/');
    record.sets.push_back({.name = slash == std::string::npos ? name : name.substr(slash + 1),
                           .group = group,
                           .role = group == "control" ? "a check on the detector, in no mean" : "",
                           .image_count = count});
  };
  std::set<std::string> known;
  for (const SetSpec& set : benchmark.sets) {  // all of them: which ones a plan reads depends on its postprocessors
    const auto found =
        std::find_if(manifest.sets.begin(), manifest.sets.end(), [&](const ManifestEntry& entry) { return entry.name == set.name; });
    add(set.name, set.group, found != manifest.sets.end() ? found->count : set.count);
    known.insert(set.name);
  }
  for (const ManifestEntry& set : manifest.sets) {
    definition["sets"].push_back({{"name", set.name}, {"count", set.count}, {"expected", set.expected}, {"hash", set.hash}});
    if (!known.contains(set.name)) add(set.name, set.group, set.count);
  }
  record.definition_json = definition.dump();
  return record;
}

std::int64_t Plan::cell_count() const {
  std::int64_t count = 0;
  for (const PlannedModel& model : models) {
    count += model.origin == ModelOrigin::trained ? 1 : 0;
    count += std::count_if(model.evals.begin(), model.evals.end(), [](const PlannedEval& eval) { return eval.applicable; });
  }
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
  return std::any_of(experiment.models.begin(), experiment.models.end(), [](const ForeignModel& model) { return !model.features.empty(); });
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
  plan.manifest = from_features(experiment) ? feature_manifest(plan) : read_manifest(plan.benchmark, needed_sets(plan), plan.data_options);
  for (const ProtocolSpec& protocol : plan.protocols()) {
    for (const std::string& set : protocol.csid) static_cast<void>(plan.entry(set));  // pooled whole or not at all
  }
  plan.out = !request.out.empty() ? request.out : experiment.out;
  plan.database = !request.database.empty() ? request.database : plan.out / "results.sqlite";

  std::int64_t applicable = 0;
  for (PlannedModel& model : plan.models) {
    model.cell.record.data_hash = plan.manifest.hash;
    model.cell.record.flags = plan.flags();
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
    throw Error(
        ErrorKind::nothing,
        fmt::format("experiment '{}' names no loss to train with and no model to evaluate: give losses=ce, or model.checkpoint=FILE, or "
                    "model.features=DIR",
                    experiment.name));
  }
  if (applicable == 0 && (!experiment.postprocessors.empty() || !experiment.models.empty())) {
    const std::string why = experiment.postprocessors.empty() ? "none is named" : plan.models[0].evals[0].cell.reason;
    throw Error(ErrorKind::nothing, fmt::format("no postprocessor of experiment '{}' can score these models: {}", experiment.name, why));
  }
  return plan;
}

void compare_with_store(Plan& plan, const Store* store) {
  for (PlannedModel& model : plan.models) {
    if (model.origin == ModelOrigin::trained) compare(plan, store, model.cell);
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
fs::path feature_folder(std::string_view model_key) { return fs::path("cache") / model_key.substr(0, 16); }

}  // namespace nearfar
