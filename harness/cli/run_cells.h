#pragma once
/// One plan put into its database and done by this process: the body of `run` and `retry`, and of each round of a
/// search.
#include "base/signals.h"
#include "cli/planned.h"
#include "cli/verbs.h"
#include "work/compare.h"
#include "work/worker.h"

#include <cstdint>

namespace nearfar {

struct CellsRun {
  Plan plan;
  WorkSummary summary;
  std::int64_t done_before = 0;
};

/// Nothing is printed but the log and the progress on stderr. `choice`: as Choice::require_some(), or nullptr.
CellsRun run_cells(Planned planned, const Choice* choice, const Asked& asked, const RunLimits& limits, bool quiet,
                   const StopSignals& signals);

/// Of `run`: 2 interrupted, 1 some cell has failed or was not done, 0.
int exit_code_of(const WorkSummary& summary);

}  // namespace nearfar
