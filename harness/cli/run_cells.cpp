#include "cli/run_cells.h"

#include "base/error.h"
#include "base/log.h"
#include "store/process.h"
#include "store/session.h"
#include "work/child.h"
#include "work/put.h"

#include <fmt/format.h>

#include <utility>

namespace nearfar {

CellsRun run_cells(Planned planned, const Choice* choice, const Asked& asked, const RunLimits& limits, bool quiet,
                   const StopSignals& signals) {
  CellsRun run{.plan = std::move(planned.plan), .summary = {}};
  Plan& plan = run.plan;
  Session session = Session::open(plan.database);
  recover(session);
  for (const std::string& note : plan.notes) log_warn(note);
  PutPlan put = put_plan(plan, session, asked);
  if (choice != nullptr) choice->require_some(plan);
  run.done_before = plan.cells_done();
  log_info(fmt::format("experiment {}: {} of {} cells to run", plan.experiment.name, plan.cells_to_run(),
                       plan.cell_count()));
  EngineLauncher launcher;
  const SteadyClock clock;
  Worker worker(plan, std::move(put), session,
                {.launcher = launcher, .clock = clock, .owner = owner_of_this_process(), .signals = &signals},
                {.devices = std::move(planned.devices), .max_failures = limits.max_failures, .quiet = quiet});
  run.summary = worker.run();
  return run;
}

int exit_code_of(const WorkSummary& summary) {
  if (summary.interrupted || summary.handed_back > 0) return exit_code(ErrorKind::interrupted);
  return summary.failed + summary.skipped + summary.elsewhere + summary.failed_elsewhere > 0 ? 1 : 0;
}

}  // namespace nearfar
