#include "run/plan_cells.h"

#include "base/error.h"
#include "base/hash.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <filesystem>
#include <map>

namespace nearfar {
namespace {
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
  return {{"name", plugin.name},
          {"version", plugin.version},
          {"source", plugin.source_hash},
          {"params", json::parse(params_json(params))}};
}

/// Contents of the files that parameters name (picks=FILE.npy): the same path with other contents is another result.
std::map<std::string, std::string> named_files(const ParamMap& params) {
  std::map<std::string, std::string> files;
  for (const auto& [name, value] : params) {
    const auto* text = std::get_if<std::string>(&value);
    if (text == nullptr || (text->find('/') == std::string::npos && !text->ends_with(".npy"))) continue;
    if (std::filesystem::is_regular_file(*text)) files[name] = sha256_file(*text);
  }
  return files;
}

void identify(CellRecord& record, const json& identity) {
  record.config_json = identity.dump();
  record.key = sha256(record.config_json);
}

}  // namespace

PlannedModel plan_model(const Plan& plan, const LossChoice& loss, std::int64_t seed) {
  PlannedModel model;
  model.loss = &loss;
  model.seed = seed;
  model.plugin = &plan.catalog.find("loss", loss.name, loss.where);
  NEARFAR_ASSERT(model.plugin->traits.has_value());
  model.params =
      validate(model.plugin->params, loss.params, place(loss.where, loss.param_where, "loss", loss.name)).values();
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
  if (std::any_of(plan.manifest.sets.begin(), plan.manifest.sets.end(),
                  [](const ManifestEntry& entry) { return entry.name == "val"; }))
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

ParamGrid grid_of(const PluginDescription& plugin, const PostprocessorChoice& choice) {
  if (choice.tune.mode == TuneChoice::Mode::openood) return plugin.tuned ? plugin.sweep : ParamGrid{};
  if (choice.tune.mode == TuneChoice::Mode::none) return {};
  std::vector<ParamGrid::Axis> axes;
  for (const auto& [name, values] : choice.tune.axes) axes.push_back({name, values});
  return checked_grid(plugin.params, std::move(axes),
                      fmt::format("{}: tune of postprocessor '{}'", choice.tune.where, choice.name));
}

void plan_params(PlannedEval& eval, const PostprocessorChoice& choice) {
  const std::string at = place(choice.where, choice.param_where, "postprocessor", choice.name);
  eval.params = validate(eval.plugin->params, choice.params, at).values();
  eval.grid = grid_of(*eval.plugin, choice);
  if (choice.tune.mode == TuneChoice::Mode::openood) {
    std::erase_if(eval.grid.axes, [&](const ParamGrid::Axis& axis) { return choice.params.contains(axis.name); });
  }
  for (const ParamGrid::Axis& axis : eval.grid.axes) {
    if (choice.params.contains(axis.name)) {
      throw Error(ErrorKind::config,
                  fmt::format("{}: '{}' is both given and searched ({}); keep one", at, axis.name, choice.tune.where));
    }
    eval.params.erase(axis.name);
  }
}

namespace {
/// What a leaderboard shows: parameters other than the default, and what was searched.
std::string shown_params(const PlannedEval& eval, const PostprocessorChoice& choice) {
  ParamMap shown = non_default_params(eval.plugin->params, eval.params);
  // A file by its name and contents: the same row wherever it lay.
  for (const auto& [name, hash] : named_files(shown)) {
    const std::filesystem::path file = std::get<std::string>(shown.at(name));
    shown[name] = fmt::format("{}@{}", file.filename().string(), hash.substr(0, 8));
  }
  if (!eval.grid.empty()) {
    std::string grid = grid_text(eval.grid);
    std::replace(grid.begin(), grid.end(), ';', ' ');
    const bool whole = choice.tune.mode == TuneChoice::Mode::openood && eval.grid == eval.plugin->sweep;
    shown.emplace("tune", whole ? "openood" : "{" + grid + "}");
  }
  return canonical_params(shown);
}

void check_applicable(const Plan& plan, const PlannedModel& model, PlannedEval& eval) {
  const auto not_applicable = [&](std::string reason) {
    eval.applicable = false;
    eval.cell.state = CellState::not_applicable;
    eval.cell.reason = std::move(reason);
  };
  for (const std::string_view need : {"map-statistics", "input-gradients"}) {
    if (!eval.plugin->needs_one(need)) continue;
    if (model.origin == ModelOrigin::features)
      return not_applicable(fmt::format("needs {}; {} is features without a network", need, model.cell.record.label));
    if (const auto& with = plan.catalog.with_maps;
        need == "map-statistics" && std::find(with.begin(), with.end(), model.cell.record.architecture) == with.end())
      return not_applicable(
          fmt::format("needs {}; {} has no feature maps to show", need, model.cell.record.architecture));
  }
  if (model.has_classifier) return;
  for (const std::string_view need : {"logits", "head-weights"}) {
    if (!eval.plugin->needs_one(need)) continue;
    return not_applicable(fmt::format("needs {}; {} has no linear head", need, model.cell.record.label));
  }
}

}  // namespace

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
  if (const auto files = named_files(eval.params); !files.empty()) identity["files"] = files;
  identify(record, identity);
  check_applicable(plan, model, eval);
  return eval;
}

}  // namespace nearfar
