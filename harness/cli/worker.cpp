#include "work/worker.h"

#include "base/error.h"
#include "base/log.h"
#include "base/signals.h"
#include "base/stopwatch.h"
#include "base/text.h"
#include "cli/planned.h"
#include "cli/summary.h"
#include "cli/verbs.h"
#include "config/profile.h"
#include "launch/worker_command.h"
#include "store/address.h"
#include "store/process.h"
#include "store/session.h"
#include "work/child.h"
#include "work/engine_client.h"
#include "work/join.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <thread>

namespace nearfar {
namespace {

ExperimentRecord stored_experiment(const Session& session, std::string name) {
  const ResultStore& results = session.results();
  const std::vector<std::string> names = results.experiments();
  const std::string file = session.name();
  if (names.empty()) {
    throw Error(ErrorKind::nothing, fmt::format("{}: there is no experiment in it; put one there with `nearfar submit` "
                                                "or `nearfar plan --put`",
                                                file));
  }
  if (name.empty() && names.size() > 1) {
    throw Error(ErrorKind::config,
                fmt::format("{}: there are several experiments in it; name one with --experiment: {}", file,
                            join(names, ", ")));
  }
  if (name.empty()) name = names.front();
  if (auto record = results.experiment(name)) return *record;
  throw Error(ErrorKind::nothing, fmt::format("{}: there is no experiment '{}'{}; there are: {}", file, name,
                                              suggestion(name, names), join(names, ", ")));
}

/// With the paths and the device of this machine.
Experiment experiment_here(const ExperimentRecord& record, const std::string& profile,
                           const WorkerArguments& arguments) {
  Experiment experiment = load_composed_experiment(record.composed, profile);
  if (experiment.hash != record.hash) {
    throw Error(
        ErrorKind::config,
        fmt::format("experiment '{}' reads otherwise here than where it was planned: another version of nearfar "
                    "(this is {}); use the same on all machines, or plan anew with this one",
                    record.name, engine_version()));
  }
  if (!experiment.round.empty()) {
    throw Error(ErrorKind::config,
                fmt::format("experiment '{}' is round {} of a search by [sweep.halving]: `nearfar run` does it, on one "
                            "machine",
                            record.name, experiment.round));
  }
  if (!arguments.device.empty()) experiment.device = arguments.device;
  if (arguments.jobs > 0) experiment.jobs = arguments.jobs;
  return experiment;
}

Plan plan_here(const ExperimentRecord& record, Experiment experiment, const std::string& profile,
               const WorkerArguments& arguments, const std::filesystem::path& database, const StopSignals& signals) {
  Paths plugin_dirs = arguments.plugin_dirs;
  for (std::filesystem::path& folder : profile_plugin_folders(profile)) plugin_dirs.push_back(std::move(folder));
  log_info(fmt::format("experiment {}: planning from {}", record.name, shown_database(database)));
  Plan plan = make_plan({.experiment = std::move(experiment),
                         .benchmark_folders = {},  // the profile has their files
                         .plugin_dirs = std::move(plugin_dirs),
                         .out = {},
                         .database = database,
                         .trust = arguments.trust,
                         .reading = reading_bar(arguments.quiet, &signals)},
                        engine_asker());
  tell_of_data(plan);
  return plan;
}

/// Hundreds of workers that begin at once would all hash the same files and ask for the same lock.
void start_in_turn(const StopSignals& signals) {
  constexpr std::int64_t kMostTurns = 100;
  constexpr std::chrono::milliseconds kTurn(100);
  const auto number = worker_number([](const char* name) { return std::getenv(name); });
  if (!number) {
    log_warn(
        "--rank-from-env: no number of MPI, Slurm, Kubernetes or torchrun is in the environment; starting at once");
    return;
  }
  log_info(fmt::format("worker {} on {}", *number, host_name()));
  const std::int64_t turns = std::min(*number, kMostTurns);
  for (std::int64_t turn = 0; turn < turns && signals.count() == 0; ++turn) std::this_thread::sleep_for(kTurn);
}

int exit_code_of(const WorkSummary& summary, const JoinedPlan& joined, const WorkerArguments& arguments) {
  if (summary.interrupted || summary.handed_back > 0) return exit_code(ErrorKind::interrupted);
  if (summary.failed + summary.skipped + summary.failed_elsewhere > 0) return 1;
  if (arguments.most_cells > 0) return 0;  // it did what it was asked for
  const bool left = summary.elsewhere > 0 && arguments.wait;
  return left || joined.failed_before > 0 ? 1 : 0;
}

}  // namespace

int worker_verb(const WorkerArguments& arguments) {
  const Stopwatch watch;
  const StopSignals signals;  // from now on: a batch system may take the machine back at any moment
  const std::filesystem::path database = database_of(arguments.database);
  if (arguments.rank_from_env) start_in_turn(signals);
  const ExperimentRecord record = stored_experiment(Session::open_read_only(database), arguments.experiment);
  if (arguments.print_profile) {
    fmt::print("{}", record.profile);
    return 0;
  }
  const std::string profile =
      arguments.profile.empty() ? record.profile : profile_with(record.profile, arguments.profile);
  Experiment experiment = experiment_here(record, profile, arguments);
  std::vector<DeviceSlot> devices = devices_of(experiment.device);
  Plan plan = plan_here(record, std::move(experiment), profile, arguments, database, signals);
  Session session = Session::open(database);
  recover(session);
  JoinedPlan joined = join_plan(plan, record.id, session);
  log_info(fmt::format("experiment {}: {} of {} cells to run", record.name, plan.cells_to_run(), plan.cell_count()));
  EngineLauncher launcher;
  const SteadyClock clock;
  WorkerOptions options{
      .devices = std::move(devices), .max_failures = arguments.fail_fast ? 1 : 0, .quiet = arguments.quiet};
  options.wait_for_others = arguments.wait;
  options.most_cells = arguments.most_cells;
  if (arguments.seconds > 0) options.stop_after_seconds = std::max(0.001, arguments.seconds - watch.seconds());
  const std::int64_t done_before = plan.cells_done();
  Worker worker(plan, joined.put, session,
                {.launcher = launcher, .clock = clock, .owner = owner_of_this_process(), .signals = &signals},
                std::move(options));
  const WorkSummary summary = worker.run();
  // The last one does it; two that end together write the same.
  if (session.queue().running_count(record.id) == 0) write_leaderboards(database, plan.out);
  if (arguments.database.json) {
    nlohmann::json document = summary_json(plan, summary, done_before);
    document["failed_before"] = joined.failed_before;
    fmt::print("{}\n", document.dump());
  } else {
    std::string text = summary_text(plan, summary, done_before);
    if (joined.failed_before > 0)
      text += fmt::format("{} cells failed before; `nearfar submit` or `nearfar run` tries them again\n",
                          joined.failed_before);
    fmt::print("{}", text);
  }
  return exit_code_of(summary, joined, arguments);
}

}  // namespace nearfar
