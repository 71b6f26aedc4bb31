#include "serve/overview.h"

#include "report/cell_json.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <functional>

namespace nearfar {
namespace {

using nlohmann::json;

constexpr std::size_t kEvents = 12;

ExperimentProgress progress_of(const ResultStore& results, const std::string& name, const std::vector<CostRow>& costs,
                               std::vector<CellStatus>& running) {
  ExperimentProgress progress{.name = name};
  const std::vector<CellCount> counts = counts_now(results, name);
  for (const CellCount& count : counts) {
    if (count.count == 0) continue;
    progress.by_state[std::string(state_name(count.state))] += count.count;
    progress.total += count.count;
    if (count.state == CellState::ok || count.state == CellState::not_applicable) progress.ended_well += count.count;
  }
  if (!progress.by_state.contains(std::string(state_name(CellState::running)))) return progress;
  std::vector<CellStatus> own = cells_now(results, name, {CellState::running});
  std::erase_if(own, [](const CellStatus& cell) { return cell.state != CellState::running; });
  progress.remaining = remaining(counts, own, costs);
  running.insert(running.end(), own.begin(), own.end());
  return progress;
}

json experiment_json(const ExperimentProgress& progress) {
  json document{{"name", progress.name},
                {"total", progress.total},
                {"ended_well", progress.ended_well},
                {"states", progress.by_state},
                {"engines", 0},
                {"remaining_seconds", nullptr},
                {"remaining_is_at_least", false}};
  if (progress.remaining) {
    document["engines"] = progress.remaining->engines;
    document["remaining_seconds"] = progress.remaining->seconds;
    document["remaining_is_at_least"] = progress.remaining->at_least;
  }
  return document;
}

}  // namespace

const std::vector<CellState>& failed_states() {
  static const std::vector<CellState> states = [] {
    std::vector<CellState> found;
    for (int state = 0; state <= static_cast<int>(CellState::not_applicable); ++state) {
      if (is_failure(static_cast<CellState>(state))) found.push_back(static_cast<CellState>(state));
    }
    return found;
  }();
  return states;
}

Overview load_overview(const ResultStore& results, const std::string& database) {
  Overview overview{.database = database, .stamp = results.stamp()};
  const std::vector<CostRow> costs = results.costs();
  std::vector<CellStatus> running;
  for (const std::string& name : results.experiments())
    overview.experiments.push_back(progress_of(results, name, costs, running));
  // A cell may be part of several experiments.
  std::ranges::stable_sort(running, {}, &CellStatus::key);
  running.erase(std::unique(running.begin(), running.end(),
                            [](const CellStatus& one, const CellStatus& other) { return one.key == other.key; }),
                running.end());
  std::ranges::stable_sort(running, std::greater(), &CellStatus::seconds);
  for (CellStatus& cell : running) {
    const std::optional<double> typical = typical_seconds(cell.kind, costs);
    overview.running.push_back({std::move(cell), typical});
  }
  overview.failures = results.cells(std::nullopt, failed_states());
  overview.failure_count = static_cast<std::int64_t>(overview.failures.size());
  std::ranges::stable_sort(overview.failures, std::greater(), &CellStatus::finished_utc);
  if (overview.failures.size() > kMostFailures) overview.failures.resize(kMostFailures);
  overview.events = results.events(kEvents);
  std::ranges::reverse(overview.events);
  return overview;
}

std::string overview_json(const Overview& overview) {
  json document{{"database", overview.database}, {"stamp", overview.stamp},   {"experiments", json::array()},
                {"running", json::array()},      {"failures", json::array()}, {"failure_count", overview.failure_count},
                {"events", json::array()}};
  for (const ExperimentProgress& one : overview.experiments) document["experiments"].push_back(experiment_json(one));
  for (const RunningCell& cell : overview.running) {
    json item = status_json(cell.status);
    item["typical_seconds"] = cell.typical_seconds ? json(*cell.typical_seconds) : json();
    document["running"].push_back(std::move(item));
  }
  for (const CellStatus& cell : overview.failures) document["failures"].push_back(status_json(cell));
  for (const EventRow& event : overview.events) {
    document["events"].push_back(
        {{"time", event.time_utc}, {"level", event.level}, {"cell", event.cell_key}, {"message", event.message}});
  }
  return document.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
}

}  // namespace nearfar
