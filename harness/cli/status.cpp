#include "base/error.h"
#include "base/progress.h"
#include "base/text.h"
#include "cli/verbs.h"
#include "store/store.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <chrono>
#include <map>
#include <thread>

namespace nearfar {
namespace {
using nlohmann::json;

json status_json(const CellStatus& cell) {
  return {{"key", cell.key},
          {"id", cell.id},
          {"kind", cell.kind},
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

std::string status_text(const std::vector<CellStatus>& cells) {
  std::vector<std::vector<std::string>> rows{{"cell", "kind", "label", "state", "time", "message"}};
  std::map<std::string_view, int> counts;
  for (const CellStatus& cell : cells) {
    rows.push_back({cell.id, cell.kind, cell.label, std::string(state_name(cell.state)),
                    cell.seconds > 0 ? duration_text(cell.seconds) : "", cell.message});
    ++counts[state_name(cell.state)];
  }
  std::string totals;
  for (const auto& [state, count] : counts) totals += fmt::format("{}{} {}", totals.empty() ? "" : ", ", count, state);
  return table(rows, {false, false, false, false, true, false}) + "\n" + totals + "\n";
}

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

json details_json(const CellDetails& details) {
  json document = status_json(details.status);
  document["flags"] = details.record.flags;
  document["identity"] = json::parse(details.record.config_json);
  document["metrics"] = metrics_json(details.metrics);
  document["runs"] = json::array();
  for (const RunStatus& run : details.runs) {
    document["runs"].push_back({{"attempt", run.attempt},
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
                                {"classifier", run.classifier},
                                {"log", run.context.log_file}});
  }
  document["scores"] = json::array();
  for (const ScoreSetRow& row : details.scores)
    document["scores"].push_back({{"set", row.set}, {"path", row.path}, {"sha256", row.sha256}, {"count", row.count}});
  document["curve"] = json::array();
  for (const CurvePoint& point : details.curve)
    document["curve"].push_back({{"name", point.name}, {"step", point.step}, {"value", point.value}});
  document["artifacts"] = json::array();
  for (const ArtifactRow& row : details.artifacts)
    document["artifacts"].push_back(
        {{"name", row.name}, {"path", row.path}, {"sha256", row.sha256}, {"bytes", row.bytes}});
  return document;
}

/// The parameter search of an eval cell; the first highest AUROC was chosen.
std::string tuning_text(const std::vector<CurvePoint>& curve) {
  std::vector<const CurvePoint*> points;
  const CurvePoint* best = nullptr;
  for (const CurvePoint& point : curve) {
    if (!point.name.starts_with("tune ")) continue;
    points.push_back(&point);
    if (point.value > (best != nullptr ? best->value : 0)) best = &point;
  }
  if (points.empty()) return "";
  std::vector<std::vector<std::string>> rows{{"searched on val against ood_val", "auroc %", ""}};
  for (const CurvePoint* point : points) {
    const bool tie = best != nullptr && point != best && point->value == best->value;
    rows.push_back({point->name.substr(5), fmt::format("{:.4f}", 100 * point->value),
                    point == best ? "chosen"
                    : tie         ? "tie: the first was chosen"
                                  : ""});
  }
  return "\n" + table(rows, {false, true, false});
}

/// How good the classifier of the model is on the test images.
std::string quality_text(const std::vector<CurvePoint>& curve) {
  std::string text;
  for (const CurvePoint& point : curve) {
    if (!point.name.starts_with("quality ")) continue;
    const std::string what = point.name.substr(8);
    const std::string value =
        what == "nll" ? fmt::format("{:.4f}", point.value) : fmt::format("{:.2f} %", 100 * point.value);
    text += fmt::format("{}{} {}", text.empty() ? "classifier " : ", ", what, value);
  }
  return text.empty() ? "" : text + " on test (classes: quality.json)\n";
}

std::string details_text(const CellDetails& details) {
  const CellStatus& status = details.status;
  std::string text = fmt::format("{}  {}\nstate      {}{}\nkey        {}\nidentity   {}\n", status.label, status.kind,
                                 state_name(status.state), status.message.empty() ? "" : ": " + status.message,
                                 status.key, details.record.config_json);
  for (const RunStatus& run : details.runs) {
    text += fmt::format("attempt {}  {} {} … {} ({}) on {} with {} threads, nearfar {}{}\n", run.attempt,
                        state_name(run.state), run.started_utc, run.finished_utc, duration_text(run.seconds),
                        run.context.device, run.context.threads, run.context.engine_version,
                        run.message.empty() ? "" : ": " + run.message);
  }
  if (!status.log_file.empty()) text += fmt::format("log        {}\n", status.log_file);
  text += quality_text(details.curve);
  std::vector<std::vector<std::string>> rows{{"protocol", "group", "data set", "metric", "%"}};
  for (const MetricRow& row : details.metrics)
    rows.push_back({row.protocol, row.group, row.dataset, row.metric, fmt::format("{:.4f}", 100 * row.value)});
  if (rows.size() > 1) text += "\n" + table(rows, {false, false, false, false, true});
  text += tuning_text(details.curve);
  rows = {{"file", "sha256"}};
  for (const ArtifactRow& row : details.artifacts) rows.push_back({row.path, row.sha256.substr(0, 16)});
  for (const ScoreSetRow& row : details.scores) rows.push_back({row.path, row.sha256.substr(0, 16)});
  if (rows.size() > 1) text += "\n" + table(rows, {false, false});
  return text;
}
}  // namespace

int status_verb(const DatabaseArguments& arguments, const std::string& experiment, bool watch) {
  const Store store = Store::open_read_only(database_of(arguments));
  while (true) {
    const auto cells = store.cells(experiment.empty() ? std::nullopt : std::optional(experiment));
    if (cells.empty()) {
      const auto names = store.experiments();
      throw Error(ErrorKind::nothing, fmt::format("{}: no cells of experiment '{}'; there are: {}",
                                                  store.file().string(), experiment, join(names, ", ")));
    }
    if (arguments.json) {
      json document{{"database", store.file().string()}, {"cells", json::array()}};
      for (const CellStatus& cell : cells) document["cells"].push_back(status_json(cell));
      fmt::print("{}\n", document.dump(watch ? -1 : 2));
    } else {
      fmt::print("{}", status_text(cells));
    }
    const bool open = std::any_of(cells.begin(), cells.end(), [](const CellStatus& cell) {
      return cell.state == CellState::planned || cell.state == CellState::running;
    });
    if (!watch || !open) return 0;
    std::fflush(stdout);
    std::this_thread::sleep_for(std::chrono::seconds(1));
  }
}

int show_verb(const DatabaseArguments& arguments, const std::string& cell) {
  const Store store = Store::open_read_only(database_of(arguments));
  const auto details = store.find(cell);
  if (!details)
    throw Error(ErrorKind::nothing,
                fmt::format("{}: there is no cell '{}'; `nearfar status` lists them", store.file().string(), cell));
  fmt::print("{}", arguments.json ? details_json(*details).dump(2) + "\n" : details_text(*details));
  return 0;
}

}  // namespace nearfar
