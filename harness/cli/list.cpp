#include "base/locations.h"
#include "base/text.h"
#include "cli/plugin_folders.h"
#include "cli/verbs.h"
#include "data/benchmark.h"
#include "plan/catalog.h"
#include "store/session.h"
#include "work/engine_client.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace nearfar {
namespace {
using nlohmann::json;

/// Rows of objects with the same keys; `columns` are shown to people, JSON gets everything.
void print(const json& rows, const std::vector<std::string>& columns, bool as_json) {
  if (as_json) {
    fmt::print("{}\n", rows.dump(2));
    return;
  }
  std::vector<std::vector<std::string>> cells{columns};
  for (const json& row : rows) {
    cells.emplace_back();
    for (const std::string& column : columns)
      cells.back().push_back(row.at(column).is_string() ? row.at(column).get<std::string>() : row.at(column).dump());
  }
  fmt::print("{}", table(cells, std::vector<bool>(columns.size(), false)));
}

int list_plugins(const ListArguments& arguments, std::string_view kind) {
  const Catalog catalog = read_catalog(engine_asker(), plugin_folders(arguments.plugin_dirs, {}));
  json rows = json::array();
  for (const PluginDescription* plugin : catalog.taken()) {
    if (plugin->kind == kind) rows.push_back(description_to_json(*plugin));
  }
  print(rows, {"name", "version", "summary", "reference"}, arguments.database.json);
  for (const wire::Refusal& refusal : catalog.refusals) fmt::print(stderr, "refused: {}\n", refusal.message);
  return 0;
}

json benchmark_rows() {
  json rows = json::array();
  const auto folders = benchmark_folders({});
  for (const std::string& name : benchmark_names(folders)) {
    const Benchmark benchmark = load_benchmark(name, folders);
    json sets = json::array();
    for (const SetSpec& set : benchmark.sets)
      sets.push_back({{"name", set.name}, {"group", set.group}, {"images", set.count}});
    rows.push_back({{"name", name},
                    {"title", benchmark.title},
                    {"classes", benchmark.classes},
                    {"shape", {benchmark.channels, benchmark.height, benchmark.width}},
                    {"file", benchmark.file.string()},
                    {"sets", sets}});
  }
  return rows;
}

json dataset_rows() {
  json rows = json::array();
  for (const json& benchmark : benchmark_rows()) {
    for (const json& set : benchmark.at("sets"))
      rows.push_back({{"benchmark", benchmark.at("name")},
                      {"name", set.at("name")},
                      {"group", set.at("group")},
                      {"images", set.at("images")}});
  }
  return rows;
}

json cell_rows(const ListArguments& arguments) {
  const Session session = Session::open_read_only(database_of(arguments.database));
  json rows = json::array();
  for (const CellStatus& cell : session.results().cells()) {
    rows.push_back({{"id", cell.id},
                    {"key", cell.key},
                    {"kind", kind_name(cell.kind)},
                    {"label", cell.label},
                    {"state", state_name(cell.state)},
                    {"attempts", cell.attempt}});
  }
  return rows;
}

json run_rows(const ListArguments& arguments) {
  const Session session = Session::open_read_only(database_of(arguments.database));
  json rows = json::array();
  for (const CellStatus& cell : session.results().cells()) {
    const auto details = session.results().find(cell.key);
    for (const RunStatus& run : details->runs) {
      rows.push_back({{"run", run.uid},
                      {"cell", cell.id},
                      {"label", cell.label},
                      {"attempt", run.attempt},
                      {"state", state_name(run.state)},
                      {"started", run.started_utc},
                      {"seconds", run.seconds}});
    }
  }
  return rows;
}
}  // namespace

int list_verb(const ListArguments& arguments) {
  const bool as_json = arguments.database.json;
  if (arguments.what == "losses") return list_plugins(arguments, "loss");
  if (arguments.what == "postprocessors") return list_plugins(arguments, "postprocessor");
  if (arguments.what == "benchmarks") print(benchmark_rows(), {"name", "title", "file"}, as_json);
  if (arguments.what == "datasets") print(dataset_rows(), {"benchmark", "name", "group", "images"}, as_json);
  if (arguments.what == "models")
    print(wire::to_json(engine_models()), {"name", "image_size", "feature_dim", "parameters"}, as_json);
  if (arguments.what == "cells") print(cell_rows(arguments), {"id", "kind", "label", "state", "attempts"}, as_json);
  if (arguments.what == "runs")
    print(run_rows(arguments), {"run", "cell", "label", "attempt", "state", "started", "seconds"}, as_json);
  return 0;
}

}  // namespace nearfar
