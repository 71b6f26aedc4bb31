#include "run/jobs.h"

#include "base/text.h"
#include "run/locations.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>

#ifndef NEARFAR_VERSION
#error "NEARFAR_VERSION comes from CMake's project version"
#endif

namespace nearfar {
namespace {
namespace fs = std::filesystem;
using nlohmann::json;

json plugin_job(const PluginDescription& plugin, const ParamMap& params) {
  return {{"path", plugin.path},
          {"name", plugin.name},
          {"source_hash", plugin.source_hash},
          {"params", json::parse(params_json(params))}};
}

/// What every job that touches images or a model says.
json common_job(const Plan& plan, const PlannedModel& model) {
  return {{"label", model.cell.record.label},
          {"benchmark", fs::absolute(plan.benchmark.file).string()},
          {"data",
           {{"root", plan.data_options.data_root.empty() ? "" : fs::absolute(plan.data_options.data_root).string()},
            {"limit", plan.data_options.limit},
            {"allow_count_mismatch", plan.data_options.allow_count_mismatch},
            {"on_unreadable", plan.experiment.on_unreadable},
            {"follow_links", plan.data_options.follow_links},
            {"packed", plan.data_options.packed.empty() ? "" : fs::absolute(plan.data_options.packed).string()}}},
          {"device", plan.experiment.device},
          {"threads", plan.experiment.threads},
          {"deterministic", plan.experiment.deterministic},
          {"out", fs::absolute(plan.out).string()},
          {"cell", model.cell.record.key},
          {"folder", cell_folder(model.cell.record.key).string()},
          {"features", feature_folder(model.cell.record.key).string()}};
}

json set_job(const Plan& plan, const std::string& set) { return {{"name", set}, {"hash", plan.entry(set).hash}}; }
}  // namespace

std::string engine_version() { return NEARFAR_VERSION; }

std::string train_job(const Plan& plan, const PlannedModel& model) {
  json job = common_job(plan, model);
  job["plugin"] = plugin_job(*model.plugin, model.params);
  job["architecture"] = plan.experiment.model;
  job["recipe"] = json::parse(recipe_json(model.loss->recipe));
  job["seed"] = model.seed;
  for (const ManifestEntry& entry : plan.manifest.sets) {
    if (entry.group == "id") job["sets"].push_back(set_job(plan, entry.name));
  }
  return job.dump();
}

namespace {
/// Where the engine finds the network or its features.
json model_job(const Plan& plan, const PlannedModel& model) {
  switch (model.origin) {
    case ModelOrigin::trained:
      return {
          {"origin", "trained"},
          {"checkpoint", (fs::absolute(plan.out) / cell_folder(model.cell.record.key) / "best.safetensors").string()}};
    case ModelOrigin::checkpoint:
      return {{"origin", "checkpoint"},
              {"checkpoint", fs::absolute(model.file).string()},
              {"sha256", model.weights},
              {"architecture", model.cell.record.architecture},
              {"mappings", (share() / "configs/models").string()}};
    case ModelOrigin::features:
      break;
  }
  return {{"origin", "features"}, {"folder", fs::absolute(model.file).string()}};
}
}  // namespace

std::string eval_job(const Plan& plan, const PlannedModel& model, const std::vector<PlannedEval*>& evals) {
  json job = common_job(plan, model);
  job["model"] = model_job(plan, model);
  std::vector<std::string> fit;
  for (const PlannedEval* eval : evals) {
    json cell = plugin_job(*eval->plugin, eval->params);
    cell["cell"] = eval->cell.record.key;
    cell["folder"] = cell_folder(eval->cell.record.key).string();
    cell["grid"] = grid_text(eval->grid);
    job["cells"].push_back(std::move(cell));
    for (const std::string& set : plan.fit_sets(model, *eval)) {
      if (std::find(fit.begin(), fit.end(), set) == fit.end()) fit.push_back(set);
    }
  }
  job["fit_sets"] = json::array();
  for (const std::string& set : fit) job["fit_sets"].push_back(set_job(plan, set));
  for (const std::string& set : plan.scored_sets()) job["score_sets"].push_back(set_job(plan, set));
  for (const ProtocolSpec& protocol : plan.protocols())
    job["protocols"].push_back({{"name", protocol.name}, {"csid", protocol.csid}});
  return job.dump();
}

namespace {
std::vector<ArtifactRow> artifacts_from(const json& message) {
  std::vector<ArtifactRow> artifacts;
  for (const json& row : message.at("artifacts"))
    artifacts.push_back(
        {.name = row.at("name"), .path = row.at("path"), .sha256 = row.at("sha256"), .bytes = row.at("bytes")});
  return artifacts;
}
}  // namespace

TrainResult train_result_from(const json& message) {
  TrainResult result;
  result.seconds = message.at("seconds");
  result.classifier = message.at("classifier");
  result.test_accuracy = message.at("test_accuracy").get<double>();
  if (!message.at("val_accuracy").is_null()) result.val_accuracy = message.at("val_accuracy").get<double>();
  for (const json& epoch : message.at("history")) {
    result.epochs = epoch.at("epoch").get<std::int64_t>() + 1;
    result.train_loss = epoch.at("loss");
    result.curve.push_back({.name = "train_loss", .step = epoch.at("epoch"), .value = epoch.at("loss")});
    result.curve.push_back({.name = "learning_rate", .step = epoch.at("epoch"), .value = epoch.at("learning_rate")});
    if (!epoch.at("val_accuracy").is_null())
      result.curve.push_back({.name = "val_accuracy", .step = epoch.at("epoch"), .value = epoch.at("val_accuracy")});
  }
  result.artifacts = artifacts_from(message);
  return result;
}

EvalResult eval_result_from(const json& message) {
  EvalResult result;
  result.seconds_fit = message.at("seconds_fit");
  result.seconds_score = message.at("seconds_score");
  for (const json& row : message.at("scores"))
    result.scores.push_back(
        {.set = row.at("set"), .path = row.at("path"), .sha256 = row.at("sha256"), .count = row.at("count")});
  result.classifier = message.at("classifier");
  for (const json& row : message.at("accuracy")) {
    result.metrics.push_back({.protocol = row.at("protocol"),
                              .group = "id",
                              .dataset = row.at("dataset"),
                              .metric = "accuracy",
                              .value = row.at("value")});
  }
  if (const auto skipped = message.at("unreadable").get<std::int64_t>(); skipped > 0)
    result.flags = "skipped-images=" + std::to_string(skipped);
  if (message.contains("tuned")) {
    std::int64_t step = 0;
    for (const json& point : message.at("tuned").at("points"))
      result.curve.push_back(
          {.name = "tune " + point.at("params").get<std::string>(), .step = step++, .value = point.at("auroc")});
  }
  result.artifacts = artifacts_from(message);
  if (const json& quality = message.at("quality"); !quality.is_null()) {
    for (const char* name : {"accuracy", "nll", "ece"}) {
      if (!quality.at(name).is_null())
        result.curve.push_back({.name = fmt::format("quality {}", name), .step = 0, .value = quality.at(name)});
    }
  }
  return result;
}

}  // namespace nearfar
