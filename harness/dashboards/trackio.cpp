#include "dashboards/trackio.h"

#include "dashboards/folder.h"

#include <SQLiteCpp/SQLiteCpp.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <ctime>
#include <map>
#include <set>

namespace nearfar {
namespace {
namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

// Version 2 of trackio's schema, as far as runs need it (trackio/sqlite_storage.py); it adds its other tables, all of
// them empty, when it opens the project to write.
constexpr const char* kSchema = R"sql(
CREATE TABLE metrics(
  id INTEGER PRIMARY KEY AUTOINCREMENT, run_id TEXT NOT NULL, timestamp TEXT NOT NULL, run_name TEXT NOT NULL,
  step INTEGER NOT NULL, metrics TEXT NOT NULL, log_id TEXT, space_id TEXT);
CREATE INDEX idx_metrics_run_step ON metrics(run_id, step);
CREATE INDEX idx_metrics_run_timestamp ON metrics(run_id, timestamp);
CREATE TABLE configs(
  id INTEGER PRIMARY KEY AUTOINCREMENT, run_id TEXT NOT NULL, run_name TEXT NOT NULL, config TEXT NOT NULL,
  created_at TEXT NOT NULL, UNIQUE(run_id));
CREATE INDEX idx_configs_run_name ON configs(run_name);
CREATE TABLE system_metrics(
  id INTEGER PRIMARY KEY AUTOINCREMENT, run_id TEXT NOT NULL, timestamp TEXT NOT NULL, run_name TEXT NOT NULL,
  metrics TEXT NOT NULL, log_id TEXT, space_id TEXT);
CREATE TABLE project_metadata(key TEXT PRIMARY KEY, value TEXT NOT NULL);
PRAGMA user_version = 2;
)sql";

std::string dumped(const Json& document) { return document.dump(-1, ' ', false, Json::error_handler_t::replace); }

/// "2025-01-31T12:00:00.250000+00:00", as Python writes a time.
std::string time_text(std::int64_t unix_ms) {
  const std::time_t seconds = unix_ms / 1000;
  std::tm time{};
  ::gmtime_r(&seconds, &time);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}000+00:00", time.tm_year + 1900, time.tm_mon + 1,
                     time.tm_mday, time.tm_hour, time.tm_min, time.tm_sec, unix_ms % 1000);
}

Json number(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "Infinity" : "-Infinity";
  return value;
}

Json config_of(const ExportedCell& cell) {
  const CellRecord& record = cell.details.record;
  const RunStatus& run = cell.details.runs.back();
  Json config = Json::object();
  for (const Factor& factor : cell.details.factors)
    std::visit([&](const auto& value) { config[factor.name] = value; }, factor.value);
  config["training"] = record.training;
  config["architecture"] = record.architecture;
  config["recipe"] = record.recipe;
  config["seed"] = record.seed;
  if (record.kind == CellKind::eval) config["postprocessor"] = record.postprocessor;
  config["nearfar.cell"] = record.key;
  config["nearfar.kind"] = kind_name(record.kind);
  config["nearfar.state"] = state_text(cell);
  config["nearfar.flags"] = cell.flags;
  config["nearfar.partial"] = cell.is_partial;
  config["nearfar.benchmark"] = record.benchmark;
  config["nearfar.data_hash"] = record.data_hash;
  config["nearfar.device"] = run.context.device;
  config["nearfar.engine_version"] = run.context.engine_version;
  config["nearfar.numerics"] = run.context.numerics;
  config["nearfar.training_source_hash"] = cell.training_source_hash;
  config["nearfar.postprocessor_source_hash"] = cell.postprocessor_source_hash;
  for (const LeaderboardPlace& place : cell.places) {
    config[fmt::format("nearfar.{}.row", place.protocol)] = row_json(place.row);
    config[fmt::format("nearfar.{}.rank", place.protocol)] = place.rank ? Json(*place.rank) : Json();
  }
  // Names with an underscore are trackio's own.
  config["_Username"] = nullptr;
  config["_Created"] = time_text(cell.started_unix_ms);
  config["_Group"] = std::string(kind_name(record.kind)) + (cell.is_partial ? " (partial)" : "");
  return config;
}

/// What was logged at each step.
std::map<std::int64_t, Json> metrics_of(const ExportedCell& cell) {
  std::map<std::int64_t, Json> steps;
  const Outcome& outcome = cell.details.outcome;
  for (const CurvePoint& point : outcome.curve) steps[point.step]["curves/" + point.name] = number(point.value);
  const std::int64_t last = last_step(cell);
  for (const MetricRow& row : cell.numbers) steps[last][number_name(row)] = number(row.value);
  for (const MeasureRow& row : outcome.measures) steps[last]["measures/" + measure_name(row)] = number(row.value);
  return steps;
}

void put_cell(SQLite::Database& database, const ExportedCell& cell) {
  SQLite::Statement config(database, "INSERT INTO configs(run_id, run_name, config, created_at) VALUES(?, ?, ?, ?)");
  config.bind(1, cell.run_uid);
  config.bind(2, cell.name);
  config.bind(3, dumped(config_of(cell)));
  config.bind(4, time_text(cell.started_unix_ms));
  config.exec();
  SQLite::Statement metrics(
      database, "INSERT INTO metrics(run_id, timestamp, run_name, step, metrics, log_id) VALUES(?, ?, ?, ?, ?, ?)");
  const std::int64_t last = last_step(cell);
  std::map<std::int64_t, Json> steps = metrics_of(cell);
  if (steps.empty()) steps[0] = Json::object();  // a cell that failed is a run as well
  for (const auto& [step, values] : steps) {
    const std::int64_t time =
        step == last ? std::max(cell.started_unix_ms, cell.finished_unix_ms) : time_of_step(cell, step, last);
    metrics.bind(1, cell.run_uid);
    metrics.bind(2, time_text(time));
    metrics.bind(3, cell.name);
    metrics.bind(4, step);
    metrics.bind(5, dumped(values));
    metrics.bind(6, fmt::format("{}-{}", cell.run_uid, step));
    metrics.exec();
    metrics.reset();
  }
}

/// trackio keeps letters, digits, - and _ of a project's name, and has names of its own at the beginning and the end.
std::string project_of(const std::string& experiment, std::set<std::string>& taken) {
  std::string name;
  for (const char c : experiment) {
    if (std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '_') name += c;
  }
  std::ranges::replace(name, '_', '-');  // "x_configs" would be a part of project "x"
  if (name.empty() || name.starts_with("registry-")) name = fmt::format("nearfar-{}", name);
  const std::string first = name;
  for (int count = 2; !taken.insert(name).second; ++count) name = fmt::format("{}-{}", first, count);
  return name;
}

}  // namespace

void export_trackio(const ExportSource& source, const fs::path& folder) {
  std::map<std::string, std::unique_ptr<SQLite::Database>> projects;  // by experiment
  std::set<std::string> taken;
  try {
    for (std::size_t i = 0; i < source.size(); ++i) {
      const ExportedCell cell = source.cell(i);
      const std::string experiment = source.experiment().value_or(cell.experiment);
      std::unique_ptr<SQLite::Database>& database = projects[experiment];
      if (!database) {
        const fs::path file = folder / (project_of(experiment, taken) + ".db");
        database = std::make_unique<SQLite::Database>(file.string(), SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE);
        // The folder becomes an export only when all is written: no journal is needed to undo a part.
        database->exec("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; BEGIN");
        database->exec(kSchema);
      }
      put_cell(*database, cell);
    }
    for (const auto& [experiment, database] : projects) database->exec("COMMIT");
  } catch (const SQLite::Exception& error) {
    throw Error(ErrorKind::data, fmt::format("{}: cannot be written: {}", folder.string(), error.what()));
  }
}

}  // namespace nearfar
