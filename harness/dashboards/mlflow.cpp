#include "dashboards/mlflow.h"

#include "base/hash.h"
#include "base/text.h"
#include "dashboards/folder.h"
#include "dashboards/yaml.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <map>

namespace nearfar {
namespace {
namespace fs = std::filesystem;

constexpr std::size_t kLongestParam = 6000, kLongestTag = 5000;  // what all of its stores take
constexpr const char* kWithoutExperiment = "nearfar";            // cells that no experiment has any more

/// Names become paths: what MLflow takes in one are letters, digits and _ - . : / and blanks.
std::string key_of(std::string_view name) {
  std::string key;
  for (const char c : name.substr(0, 250)) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       (c != '\0' && std::strchr("_-.:/ ", c) != nullptr);
    key += plain ? c : '_';
  }
  // "..", "//" and the like would not be the path that they name
  return fs::path(key).lexically_normal() == key && !key.starts_with('/') && !key.starts_with('.') ? key
                                                                                                   : file_name_of(key);
}

std::string file_uri(const fs::path& path) {
  std::string uri = "file://";
  for (const char c : path.string()) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       (c != '\0' && std::strchr("/-._~", c) != nullptr);
    uri += plain ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return uri;
}

/// A number of its own, the same in every export: MLflow takes an id for a number when it moves a file store into a
/// database.
std::string id_of(const std::string& experiment) {
  return std::to_string(std::stoull(sha256(experiment).substr(0, 14), nullptr, 16) + 1);
}

/// An owner is HOST:…, what follows are numbers of its processes.
std::string host_of(const RunStatus& run) { return run.context.owner.substr(0, run.context.owner.find(':')); }

/// mlflow.entities.RunStatus.
int status_of(CellState state) {
  constexpr int kRunning = 1, kFinished = 3, kFailed = 4, kKilled = 5;
  if (state == CellState::ok) return kFinished;
  if (state == CellState::running) return kRunning;
  return state == CellState::cancelled || !is_failure(state) ? kKilled : kFailed;
}

std::map<std::string, std::string> tags_of(const ExportedCell& cell) {
  const CellRecord& record = cell.details.record;
  const RunStatus& run = cell.details.runs.back();
  std::map<std::string, std::string> tags{{"mlflow.runName", cell.name},
                                          {"mlflow.source.name", "nearfar"},
                                          {"mlflow.source.type", "LOCAL"},
                                          {"mlflow.user", host_of(run)},
                                          {"nearfar.cell", record.key},
                                          {"nearfar.kind", std::string(kind_name(record.kind))},
                                          {"nearfar.model", record.model_key},
                                          {"nearfar.state", std::string(state_name(cell.details.status.state))},
                                          {"nearfar.message", cell.details.status.message},
                                          {"nearfar.flags", cell.flags},
                                          {"nearfar.partial", cell.is_partial ? "true" : "false"},
                                          {"nearfar.benchmark", record.benchmark},
                                          {"nearfar.data_hash", record.data_hash},
                                          {"nearfar.classifier", cell.details.outcome.classifier},
                                          {"nearfar.attempt", std::to_string(run.attempt)},
                                          {"nearfar.device", run.context.device},
                                          {"nearfar.threads", std::to_string(run.context.threads)},
                                          {"nearfar.engine_version", run.context.engine_version},
                                          {"nearfar.numerics", run.context.numerics},
                                          {"nearfar.training_version", cell.training_version},
                                          {"nearfar.training_source_hash", cell.training_source_hash},
                                          {"nearfar.postprocessor_version", cell.postprocessor_version},
                                          {"nearfar.postprocessor_source_hash", cell.postprocessor_source_hash}};
  for (const LeaderboardPlace& place : cell.places) {
    const std::string prefix = "nearfar." + place.protocol;
    tags[prefix + ".row"] = row_json(place.row);
    tags[prefix + ".rank"] = place.rank ? std::to_string(*place.rank) : "";
    tags[prefix + ".unranked_reason"] = place.unranked_reason;
  }
  for (const ArtifactRow& artifact : cell.details.outcome.artifacts)
    tags[fmt::format("nearfar.artifact.{}.sha256", artifact.name)] = artifact.sha256;
  for (const ScoreSetRow& scores : cell.details.outcome.scores)
    tags[fmt::format("nearfar.scores.{}.sha256", scores.set)] = scores.sha256;
  return tags;
}

std::map<std::string, std::string> params_of(const ExportedCell& cell) {
  const CellRecord& record = cell.details.record;
  std::map<std::string, std::string> params{{"training", record.training},
                                            {"architecture", record.architecture},
                                            {"head", record.head},
                                            {"recipe", record.recipe},
                                            {"seed", std::to_string(record.seed)}};
  if (record.kind == CellKind::eval) params["postprocessor"] = record.postprocessor;
  for (const Factor& factor : cell.details.factors) params[factor.name] = value_text(factor.value);
  return params;
}

/// Lines "milliseconds value step" by name.
std::map<std::string, std::string> metrics_of(const ExportedCell& cell) {
  std::map<std::string, std::string> metrics;
  const auto add = [&](const std::string& name, std::int64_t time, double value, std::int64_t step) {
    metrics[key_of(name)] += fmt::format("{} {} {}\n", time, number_text(value), step);
  };
  const std::int64_t last = last_step(cell), end = std::max(cell.started_unix_ms, cell.finished_unix_ms);
  for (const CurvePoint& point : cell.details.outcome.curve)
    add("curves/" + point.name, time_of_step(cell, point.step, last), point.value, point.step);
  for (const MetricRow& number : cell.numbers) add(number_name(number), end, number.value, last);
  for (const MeasureRow& measure : cell.details.outcome.measures)
    add("measures/" + measure_name(measure), end, measure.value, last);
  return metrics;
}

void write_run(const ExportedCell& cell, const std::string& experiment_id, const fs::path& folder,
               const fs::path& target) {
  const fs::path run = folder / cell.run_uid;
  std::string meta = fmt::format("artifact_uri: {}\n", yaml_text(file_uri(target / cell.run_uid / "artifacts")));
  meta += "deleted_time: null\n";
  meta += cell.finished_unix_ms == 0 ? "end_time: null\n" : fmt::format("end_time: {}\n", cell.finished_unix_ms);
  meta += fmt::format(
      "entry_point_name: ''\nexperiment_id: '{}'\nlifecycle_stage: active\nrun_id: {}\nrun_name: {}\nrun_uuid: {}\n"
      "source_name: ''\nsource_type: 4\nsource_version: ''\nstart_time: {}\nstatus: {}\ntags: []\nuser_id: {}\n",
      experiment_id, yaml_text(cell.run_uid), yaml_text(cell.name), yaml_text(cell.run_uid), cell.started_unix_ms,
      status_of(cell.details.status.state), yaml_text(host_of(cell.details.runs.back())));
  write_export_file(run / "meta.yaml", meta);
  for (const auto& [name, value] : params_of(cell))
    write_export_file(run / "params" / key_of(name), clipped(value, kLongestParam));
  for (const auto& [name, value] : tags_of(cell))
    write_export_file(run / "tags" / key_of(name), clipped(value, kLongestTag));
  for (const auto& [name, lines] : metrics_of(cell)) write_export_file(run / "metrics" / name, lines);
  write_export_file(run / "artifacts" / "identity.json", cell.details.record.identity_json);
}

}  // namespace

void export_mlflow(const ExportSource& source, const fs::path& folder, const fs::path& target) {
  const fs::path place = fs::absolute(target).lexically_normal() / "mlruns";
  std::map<std::string, std::pair<std::int64_t, std::int64_t>> times;  // of experiments: first begin, last end
  for (std::size_t i = 0; i < source.size(); ++i) {
    const ExportedCell cell = source.cell(i);
    const std::string experiment =
        source.experiment().value_or(cell.experiment.empty() ? kWithoutExperiment : cell.experiment);
    auto& [begin, end] = times.try_emplace(experiment, cell.started_unix_ms, 0).first->second;
    begin = std::min(begin, cell.started_unix_ms);
    end = std::max({end, cell.started_unix_ms, cell.finished_unix_ms});
    const std::string id = id_of(experiment);
    write_run(cell, id, folder / "mlruns" / id, place / id);
  }
  for (const auto& [experiment, time] : times) {
    const std::string id = id_of(experiment);
    write_export_file(
        folder / "mlruns" / id / "meta.yaml",
        fmt::format("artifact_location: {}\ncreation_time: {}\nexperiment_id: '{}'\nlast_update_time: {}\n"
                    "lifecycle_stage: active\nname: {}\n",
                    yaml_text(file_uri(place / id)), time.first, id, time.second, yaml_text(experiment)));
  }
}

}  // namespace nearfar
