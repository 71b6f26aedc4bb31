#include "base/error.h"
#include "base/log.h"
#include "base/signals.h"
#include "cli/planned.h"
#include "cli/summary.h"
#include "cli/verbs.h"
#include "plan/plan.h"
#include "plan/plan_text.h"
#include "store/address.h"
#include "store/process.h"
#include "store/session.h"
#include "work/child.h"
#include "work/put.h"
#include "work/worker.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <optional>

namespace nearfar {
namespace {
namespace fs = std::filesystem;

struct Planned {
  Plan plan;
  std::vector<DeviceSlot> devices;
};

Planned planned(const RunArguments& arguments) {
  Experiment experiment = experiment_of(arguments);
  std::vector<DeviceSlot> devices = devices_of(experiment.device);
  return {plan_of(arguments, std::move(experiment)), std::move(devices)};
}

}  // namespace

int plan_verb(const RunArguments& arguments) {
  // What is put may be for another machine's devices.
  Plan plan = arguments.put ? plan_of(arguments, experiment_of(arguments)) : planned(arguments).plan;
  if (arguments.put) {
    put_for_workers(plan);
  } else {
    std::optional<Session> session;
    if (Session::exists(plan.database)) session = Session::open_read_only(plan.database);
    compare(plan, session ? &session->planning() : nullptr);
  }
  fmt::print("{}{}", arguments.json ? plan_json(plan) : plan_text(plan, arguments.cells), arguments.json ? "\n" : "");
  return 0;
}

int run_verb(const RunArguments& arguments) {
  if (arguments.dry_run) return plan_verb(arguments);
  auto [plan, devices] = planned(arguments);
  Session session = Session::open(plan.database);
  recover(session);
  for (const std::string& note : plan.notes) log_warn(note);
  PutPlan put = put_plan(plan, session);
  const std::int64_t to_run = plan.cells_to_run(), done_before = plan.cells_done();
  log_info(fmt::format("experiment {}: {} of {} cells to run", plan.experiment.name, to_run, plan.cell_count()));
  EngineLauncher launcher;
  const SteadyClock clock;
  const StopSignals signals;
  Worker worker(plan, std::move(put), session,
                {.launcher = launcher, .clock = clock, .owner = owner_of_this_process(), .signals = &signals},
                {.devices = std::move(devices), .fail_fast = arguments.fail_fast, .quiet = arguments.quiet});
  const WorkSummary summary = worker.run();
  write_leaderboards(plan.database, plan.out);
  if (arguments.json) {
    fmt::print("{}\n", summary_json(plan, summary, done_before).dump());
  } else {
    fmt::print("{}\n{}", leaderboard_table(plan.database), summary_text(plan, summary, done_before));
  }
  if (summary.interrupted || summary.handed_back > 0) return exit_code(ErrorKind::interrupted);
  return summary.failed + summary.skipped + summary.elsewhere + summary.failed_elsewhere > 0 ? 1 : 0;
}

}  // namespace nearfar
