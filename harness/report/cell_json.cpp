#include "report/cell_json.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace nearfar {

using nlohmann::json;

namespace {

json metrics_json(const std::vector<MetricRow>& metrics) {
  json rows = json::array();
  for (const MetricRow& row : metrics)
    rows.push_back({{"protocol", row.protocol},
                    {"group", row.group},
                    {"dataset", row.dataset},
                    {"metric", row.metric},
                    {"value", row.value}});
  return rows;
}

json factors_json(const std::vector<Factor>& factors) {
  json rows = json::object();
  for (const Factor& factor : factors) {
    std::visit([&](const auto& value) { rows[factor.name] = value; }, factor.value);
  }
  return rows;
}

json plugin_json(const PluginRecord& plugin) {
  return {{"kind", plugin.kind},
          {"name", plugin.name},
          {"version", plugin.version},
          {"tier", plugin.tier},
          {"source_hash", plugin.source_hash},
          {"binary_hash", plugin.binary_hash},
          {"build_tag", plugin.build_tag}};
}

json runs_json(const std::vector<RunStatus>& runs) {
  json rows = json::array();
  for (const RunStatus& run : runs) {
    rows.push_back({{"uid", run.uid},
                    {"attempt", run.attempt},
                    {"state", state_name(run.state)},
                    {"message", run.message},
                    {"started", run.started_utc},
                    {"finished", run.finished_utc},
                    {"seconds", run.seconds},
                    {"owner", run.context.owner},
                    {"device", run.context.device},
                    {"threads", run.context.threads},
                    {"engine_version", run.context.engine_version},
                    {"numerics", run.context.numerics},
                    {"location", run.location},
                    {"log", run.context.log_file},
                    {"plugin", run.plugin ? plugin_json(*run.plugin) : json()}});
  }
  return rows;
}

json outcome_json(const Outcome& outcome) {
  json document{{"classifier", outcome.classifier}, {"metrics", metrics_json(outcome.metrics)}};
  for (const char* list : {"measures", "scores", "curve", "tune", "passes", "artifacts"})
    document[list] = json::array();
  for (const MeasureRow& row : outcome.measures) {
    document["measures"].push_back({{"set", row.set}, {"name", row.name}, {"unit", row.unit}, {"value", row.value}});
  }
  for (const ScoreSetRow& row : outcome.scores) {
    document["scores"].push_back({{"set", row.set}, {"path", row.path}, {"sha256", row.sha256}, {"count", row.count}});
  }
  for (const CurvePoint& point : outcome.curve) {
    document["curve"].push_back({{"name", point.name}, {"step", point.step}, {"value", point.value}});
  }
  for (const TunePoint& point : outcome.tune) {
    document["tune"].push_back({{"params", point.params},
                                {"auroc", point.auroc ? json(*point.auroc) : json()},
                                {"refused", point.refused},
                                {"chosen", point.chosen}});
  }
  for (const PassRow& row : outcome.passes) {
    document["passes"].push_back({{"set", row.set},
                                  {"forward", row.forward},
                                  {"gradients", row.gradients},
                                  {"changed", row.changed},
                                  {"float64", row.float64}});
  }
  for (const ArtifactRow& row : outcome.artifacts) {
    document["artifacts"].push_back(
        {{"name", row.name}, {"path", row.path}, {"sha256", row.sha256}, {"bytes", row.bytes}});
  }
  return document;
}

}  // namespace

json status_json(const CellStatus& cell) {
  return {{"key", cell.key},
          {"id", cell.id},
          {"kind", kind_name(cell.kind)},
          {"label", cell.label},
          {"benchmark", cell.benchmark},
          {"state", state_name(cell.state)},
          {"attempt", cell.attempt},
          {"message", cell.message},
          {"started", cell.started_utc},
          {"finished", cell.finished_utc},
          {"seconds", cell.seconds},
          {"log", cell.log_file}};
}

std::vector<PluginRecord> plugins_of(const CellDetails& details) {
  std::vector<PluginRecord> plugins;
  if (details.loss) plugins.push_back(*details.loss);
  if (details.runs.empty() || !details.runs.back().plugin) return plugins;
  const PluginRecord& newest = *details.runs.back().plugin;
  if (newest.kind != "loss" || !details.loss) plugins.push_back(newest);
  return plugins;
}

std::string plugin_text(const PluginRecord& plugin) {
  return fmt::format("{}, tier {}, source {}, file {}", plugin.version, plugin.tier, plugin.source_hash.substr(0, 12),
                     plugin.binary_hash.substr(0, 12));
}

std::string flags_of(const CellDetails& details) {
  const std::string &own = details.record.flags, &found = details.outcome.flags;
  return own + (own.empty() || found.empty() ? "" : ";") + found;
}

json details_json(const CellDetails& details, const std::string& reproduce) {
  json document = status_json(details.status);
  document["flags"] = flags_of(details);
  document["identity"] = json::parse(details.record.identity_json, nullptr, false);
  document["factors"] = factors_json(details.factors);
  document["differences"] = json::array();
  for (const CellDetails::Difference& one : details.differences) {
    document["differences"].push_back({{"factor", one.name}, {"here", one.here}, {"elsewhere", one.elsewhere}});
  }
  document["runs"] = runs_json(details.runs);
  document["plugins"] = json::array();
  for (const PluginRecord& plugin : plugins_of(details)) document["plugins"].push_back(plugin_json(plugin));
  document["location"] = details.location.string();
  document["reproduce"] = reproduce;
  document.update(outcome_json(details.outcome));
  return document;
}

}  // namespace nearfar
