#include "report/workload.h"

#include "store/process.h"

#include <algorithm>
#include <map>
#include <utility>

namespace nearfar {
namespace {

bool is_left(const CellStatus& cell) {
  return cell.state == CellState::running && owner_state(cell.owner) == OwnerState::dead;
}

}  // namespace

std::vector<CellStatus> cells_now(const ResultStore& results, const std::optional<std::string>& experiment,
                                  const std::vector<CellState>& states) {
  std::vector<CellStatus> cells = results.cells(experiment, states);
  for (CellStatus& cell : cells) {
    if (!is_left(cell)) continue;
    cell.state = CellState::planned;
    cell.message = "its process is gone; the next run does it";
  }
  return cells;
}

std::vector<CellCount> counts_now(const ResultStore& results, const std::optional<std::string>& experiment) {
  std::vector<CellCount> counts = results.counts(experiment);
  const auto running = [](const CellCount& count) { return count.state == CellState::running && count.count > 0; };
  if (std::none_of(counts.begin(), counts.end(), running)) return counts;
  for (const CellStatus& cell : results.cells(experiment, {CellState::running})) {
    if (!is_left(cell)) continue;
    for (CellCount& count : counts) {
      if (count.kind == cell.kind && count.state == CellState::running) --count.count;
    }
    counts.push_back({cell.kind, CellState::planned, 1});
  }
  return counts;
}

bool any_open(const std::vector<CellCount>& counts) {
  return std::any_of(counts.begin(), counts.end(), [](const CellCount& count) {
    return count.count > 0 && (count.state == CellState::planned || count.state == CellState::running);
  });
}

std::optional<double> typical_seconds(CellKind kind, const std::vector<CostRow>& costs) {
  double seconds = 0;
  std::int64_t runs = 0;
  for (const CostRow& cost : costs) {
    if (cost.kind != kind) continue;
    seconds += cost.seconds;
    runs += cost.runs;
  }
  return runs > 0 ? std::optional(seconds / static_cast<double>(runs)) : std::nullopt;
}

std::optional<Remaining> remaining(const std::vector<CellCount>& counts, const std::vector<CellStatus>& running,
                                   const std::vector<CostRow>& costs) {
  std::map<std::pair<std::string, std::string>, std::vector<const CellStatus*>> engines;  // by owner and log
  for (const CellStatus& cell : running) {
    if (cell.state == CellState::running) engines[{cell.owner, cell.log_file}].push_back(&cell);
  }
  if (engines.empty()) return std::nullopt;
  Remaining result{.engines = static_cast<int>(engines.size())};
  bool known = false;
  const auto add = [&](CellKind kind, double cells, double since) {
    const std::optional<double> typical = typical_seconds(kind, costs);
    known = known || typical.has_value();
    result.at_least = result.at_least || !typical;
    if (typical) result.seconds += std::max(0.0, cells * *typical - since);
  };
  for (const CellCount& count : counts) {
    if (count.state == CellState::planned && count.count > 0) add(count.kind, static_cast<double>(count.count), 0);
  }
  for (const auto& [engine, cells] : engines) {
    // Of several cells that started together nobody knows which one it is that runs.
    for (const CellStatus* cell : cells) add(cell->kind, 1, cells.size() == 1 ? cell->seconds : 0);
  }
  if (!known) return std::nullopt;
  result.seconds /= result.engines;
  return result;
}

}  // namespace nearfar
