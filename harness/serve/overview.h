#pragma once
/// What the first page shows and /api/status.json answers. Reads the store, which one thread uses.
#include "report/workload.h"
#include "store/results.h"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace nearfar {

struct ExperimentProgress {
  std::string name = {};
  std::map<std::string, std::int64_t> by_state = {};  ///< state's name → cells
  std::int64_t total = 0, ended_well = 0;             ///< ended_well: ok and not applicable
  std::optional<Remaining> remaining = {};            ///< of what is open
};

struct RunningCell {
  CellStatus status = {};
  std::optional<double> typical_seconds = {};  ///< of finished cells of its kind
};

struct Overview {
  std::string database = {}, stamp = {};  ///< stamp: ResultStore::stamp()
  std::vector<ExperimentProgress> experiments = {};
  std::vector<RunningCell> running = {};  ///< of processes that are not gone
  std::vector<CellStatus> failures = {};  ///< the newest first, at most kMostFailures
  std::int64_t failure_count = 0;
  std::vector<EventRow> events = {};  ///< the newest first
};

inline constexpr std::size_t kMostFailures = 10;

Overview load_overview(const ResultStore& results, const std::string& database);
std::string overview_json(const Overview& overview);

/// States in which a cell has ended without a result.
const std::vector<CellState>& failed_states();

}  // namespace nearfar
