#pragma once
/// What reports are made of, as plain values, gathered once from the database; everything after is a pure function of
/// it: results → select → leaderboard → forms. The store is used by one thread; Results are safe from any.
#include "store/results.h"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace nearfar {

/// Empty = all.
struct ReportFilter {
  std::optional<std::string> experiment = std::nullopt, benchmark = std::nullopt, protocol = std::nullopt;
};

/// A cell of any kind that ended without a result.
struct Gap {
  std::string benchmark, label;
  CellState state = CellState::failed;
  std::string reason;  ///< may be empty
};

struct Results {
  ReportFilter filter;  ///< what was asked for; only the experiment is applied to what follows
  ResultsFrame frame;
  std::vector<BenchmarkRecord> benchmarks;
  std::vector<Gap> not_applicable, failed;          ///< in planned order
  std::int64_t waiting_count = 0;                   ///< cells that some config still waits for
  std::map<std::string, std::string> sources = {};  ///< cell key → whose result it is; empty: one's own
};

/// Reads results and gaps only, never the planned cells: quick where most are still to do. Error(store).
Results load_results(const ResultStore& store, const ReportFilter& filter = {});

}  // namespace nearfar
