#include "base/error.h"
#include "base/locations.h"
#include "base/log.h"
#include "base/progress.h"
#include "base/signals.h"
#include "base/stopwatch.h"
#include "cli/verbs.h"
#include "plan/plan.h"
#include "plan/plan_text.h"
#include "store/address.h"
#include "store/process.h"
#include "store/session.h"
#include "work/child.h"
#include "work/engine_client.h"
#include "work/put.h"
#include "work/worker.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <cstdlib>
#include <memory>
#include <optional>

namespace nearfar {
namespace {
namespace fs = std::filesystem;

/// Before anything is planned: a result must not be stored as made on a device that nothing was computed on.
std::vector<DeviceSlot> devices_of(const std::string& device) {
  if (device == "cpu") return device_slots(device, 0, "");
  const wire::CudaFacts cuda = engine_doctor().cuda;
  if (!cuda.usable)
    throw Error(ErrorKind::config,
                fmt::format("device '{}' is not usable here: {}. Use --device cpu.", device, cuda.reason));
  const char* visible = std::getenv("CUDA_VISIBLE_DEVICES");
  return device_slots(device, cuda.devices, visible != nullptr ? visible : "");
}

/// What `data check` would say of the classes, too.
void tell_of_data(const BenchmarkPlan& benchmark) {
  const std::string& name = benchmark.benchmark.name;
  if (!benchmark.manifest.class_order.empty()) log_info(fmt::format("{}: {}", name, benchmark.manifest.class_order));
  for (const std::string& missing : benchmark.manifest.missing_classes)
    log_warn(fmt::format("{}: {}; every result will say so (missing-class)", name, missing));
}

/// A bar while image files are read for the first time, which may take an hour; Ctrl-C ends it, and the next call goes
/// on there.
class ReadingBar {
  static constexpr double kSilentSeconds = 1;  // what takes no longer is not worth a word

 public:
  explicit ReadingBar(bool quiet) : quiet_(quiet) {}
  bool operator()(std::string_view set, std::int64_t done, std::int64_t total) {
    if (!signals_) signals_.emplace();
    if (set != set_) {
      set_ = set;
      bar_.reset();
      watch_.restart();
    }
    if (watch_.seconds() < kSilentSeconds) return signals_->count() == 0;
    if (!bar_) {
      bar_.emplace(total, "files", quiet_ ? Progress::Mode::quiet : Progress::Mode::automatic);
      if (!quiet_) log_info(fmt::format("{}: reading {} files for the first time, to know them again", set, total));
    }
    bar_->update(static_cast<double>(done), set_);
    return signals_->count() == 0;
  }

 private:
  bool quiet_;
  std::optional<StopSignals> signals_;  // only now: before, Ctrl-C ends the process as ever
  std::optional<Progress> bar_;
  std::string set_;
  Stopwatch watch_;
};

struct Planned {
  Plan plan;
  std::vector<DeviceSlot> devices;
};

Planned planned(const RunArguments& arguments) {
  if (arguments.files.empty()) {
    throw Error(ErrorKind::config, "no experiment file is given; expected nearfar run CONFIG.toml [key=value…]");
  }
  Experiment experiment =
      load_experiment(arguments.files, arguments.overrides, arguments.max_cells > 0 ? arguments.max_cells : kMaxCells);
  std::vector<DeviceSlot> devices = devices_of(experiment.device);
  const auto bar = std::make_shared<ReadingBar>(arguments.quiet);
  Plan plan = make_plan({.experiment = std::move(experiment),
                         .benchmark_folders = benchmark_folders(arguments.files),
                         .plugin_dirs = arguments.plugin_dirs,
                         .out = arguments.out,
                         .database = arguments.database,
                         .trust = arguments.trust,
                         .reading = [bar](std::string_view set, std::int64_t done,
                                          std::int64_t total) { return (*bar)(set, done, total); }},
                        engine_asker());
  for (const BenchmarkPlan& benchmark : plan.benchmarks) tell_of_data(benchmark);
  return {std::move(plan), std::move(devices)};
}

/// Cells that are still to be done, by the next run or by another process.
std::int64_t left_of(const Plan& plan, const WorkSummary& summary) {
  return plan.cells_to_run() - summary.ran - summary.failed - summary.skipped - summary.done_elsewhere;
}

nlohmann::json summary_json(const Plan& plan, const WorkSummary& summary, std::int64_t done_before) {
  nlohmann::json passes = nlohmann::json::array();
  for (const auto& [model, row] : summary.passes) {
    passes.push_back({{"model", model},
                      {"set", row.set},
                      {"forward", row.forward},
                      {"gradients", row.gradients},
                      {"changed", row.changed},
                      {"float64", row.float64}});
  }
  return {{"experiment", plan.experiment.name},
          {"database", shown_database(plan.database)},
          {"ran", summary.ran},
          {"failed", summary.failed},
          {"skipped", summary.skipped},
          {"elsewhere", summary.elsewhere},
          {"done_elsewhere", summary.done_elsewhere},
          {"left", left_of(plan, summary)},
          {"handed_back", summary.handed_back},
          {"done_before", done_before},
          {"interrupted", summary.interrupted},
          {"seconds", summary.seconds},
          {"passes", passes}};
}

std::string summary_text(const Plan& plan, const WorkSummary& summary, std::int64_t done_before) {
  std::string text = fmt::format("{} cells ran in {}, {} failed, {} were done before", summary.ran,
                                 duration_text(summary.seconds), summary.failed, done_before);
  if (summary.skipped > 0) text += fmt::format(", {} were skipped", summary.skipped);
  if (summary.done_elsewhere > 0) text += fmt::format(", {} were done by other processes", summary.done_elsewhere);
  if (const std::int64_t left = left_of(plan, summary); left > 0) {
    text += fmt::format(", {} are left{}", left, summary.elsewhere > 0 ? " to other processes" : "");
  }
  return text + fmt::format("; results in {}\n", plan.out.string());
}

}  // namespace

int plan_verb(const RunArguments& arguments) {
  Plan plan = planned(arguments).plan;
  std::optional<Session> session;
  if (Session::exists(plan.database)) session = Session::open_read_only(plan.database);
  compare(plan, session ? &session->planning() : nullptr);
  fmt::print("{}{}", arguments.json ? plan_json(plan) : plan_text(plan, arguments.cells), arguments.json ? "\n" : "");
  return 0;
}

int run_verb(const RunArguments& arguments) {
  if (arguments.dry_run) return plan_verb(arguments);
  auto [plan, devices] = planned(arguments);
  Session session = Session::open(plan.database);
  if (const int stale = session.queue().recover_stale(); stale > 0) {
    log_info(fmt::format("{} cells were left running by a process that is gone; they go on", stale));
  }
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
  return summary.failed + summary.skipped + summary.elsewhere > 0 ? 1 : 0;
}

}  // namespace nearfar
