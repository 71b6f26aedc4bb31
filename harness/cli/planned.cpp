#include "cli/planned.h"

#include "base/error.h"
#include "base/locations.h"
#include "base/log.h"
#include "base/progress.h"
#include "base/stopwatch.h"
#include "cli/plugin_folders.h"
#include "config/profile.h"
#include "store/selection.h"
#include "work/engine_client.h"
#include "work/estimate.h"
#include "work/put.h"
#include "work/shares.h"

#include <fmt/format.h>

#include <cstdlib>
#include <memory>
#include <optional>
#include <thread>

namespace nearfar {
namespace {

class ReadingBar {
  static constexpr double kSilentSeconds = 1;  // what takes no longer is not worth a word

 public:
  ReadingBar(bool quiet, const StopSignals* signals) : quiet_(quiet), signals_(signals) {}
  bool operator()(std::string_view set, std::int64_t done, std::int64_t total) {
    if (signals_ == nullptr) signals_ = &own_.emplace();
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
  const StopSignals* signals_;
  std::optional<StopSignals> own_;  // only where none is given: before, Ctrl-C ends the process as ever
  std::optional<Progress> bar_;
  std::string set_;
  Stopwatch watch_;
};

}  // namespace

std::vector<DeviceSlot> devices_of(const std::string& device) {
  if (device == "cpu") return device_slots(device, 0, "");
  const wire::CudaFacts cuda = engine_doctor().cuda;
  if (!cuda.usable)
    throw Error(ErrorKind::config,
                fmt::format("device '{}' is not usable here: {}. Use --device cpu.", device, cuda.reason));
  const char* visible = std::getenv("CUDA_VISIBLE_DEVICES");
  return device_slots(device, cuda.devices, visible != nullptr ? visible : "");
}

ReadingProgress reading_bar(bool quiet, const StopSignals* signals) {
  const auto bar = std::make_shared<ReadingBar>(quiet, signals);
  return [bar](std::string_view set, std::int64_t done, std::int64_t total) { return (*bar)(set, done, total); };
}

void tell_of_data(const Plan& plan) {
  for (const BenchmarkPlan& benchmark : plan.benchmarks) {
    const std::string& name = benchmark.benchmark.name;
    if (!benchmark.manifest.class_order.empty()) log_info(fmt::format("{}: {}", name, benchmark.manifest.class_order));
    for (const std::string& missing : benchmark.manifest.missing_classes)
      log_warn(fmt::format("{}: {}; every result will say so (missing-class)", name, missing));
  }
}

Experiment experiment_of(const RunArguments& arguments) {
  if (arguments.files.empty() && arguments.overrides.empty()) {
    throw Error(ErrorKind::config, "no experiment file is given; expected nearfar run CONFIG.toml [key=value…]");
  }
  return load_experiment(arguments.files, arguments.overrides,
                         arguments.max_cells > 0 ? arguments.max_cells : kMaxCells);
}

Plan plan_of(const RunArguments& arguments, Experiment experiment, const StopSignals* signals) {
  if (experiment.halving) {
    throw Error(ErrorKind::config,
                fmt::format("{}: [sweep.halving] is a search, whose cells follow from results of others: `nearfar run` "
                            "does it, on one machine; without that section it is a sweep, which workers may share",
                            experiment.halving->where));
  }
  Plan plan = make_plan({.experiment = std::move(experiment),
                         .benchmark_folders = benchmark_folders(arguments.files),
                         .plugin_dirs = plugin_folders(arguments.plugin_dirs, arguments.files),
                         .out = arguments.out,
                         .database = arguments.database,
                         .trust = arguments.trust,
                         .reading = reading_bar(arguments.quiet, signals)},
                        engine_asker());
  tell_of_data(plan);
  return plan;
}

void recover(Session& session) {
  if (const int stale = session.queue().recover_stale(); stale > 0)
    log_info(fmt::format("{} cells were left running by a process that is gone; they go on", stale));
}

void put_for_workers(Plan& plan) {
  Session session = Session::open(plan.database);
  recover(session);
  put_plan(plan, session);
}

Planned planned(const RunArguments& arguments, Experiment experiment, const StopSignals* signals) {
  std::vector<DeviceSlot> devices = devices_of(experiment.device);
  return {plan_of(arguments, std::move(experiment), signals), std::move(devices)};
}

void estimate_time(Planned& planned, const Session& session) {
  const Shares shares = shares_of(planned.plan.experiment, planned.devices.size(), std::thread::hardware_concurrency());
  planned.plan.estimate = estimate(planned.plan, session.results().costs(), shares.jobs);
}

Planned planned_again(const ExperimentRecord& record, const std::filesystem::path& database, const RunLimits& limits,
                      bool trust, bool quiet) {
  Experiment experiment = load_composed_experiment(record.composed, record.profile);
  if (limits.jobs) experiment.jobs = *limits.jobs;
  if (limits.retries) experiment.retries = *limits.retries;
  std::vector<DeviceSlot> devices = devices_of(experiment.device);
  Plan plan = make_plan({.experiment = std::move(experiment),
                         .benchmark_folders = {},  // the profile has their files
                         .plugin_dirs = profile_plugin_folders(record.profile),
                         .out = {},
                         .database = database,
                         .trust = trust,
                         .reading = reading_bar(quiet)},
                        engine_asker());
  tell_of_data(plan);
  return {std::move(plan), std::move(devices)};
}

Asked Choice::asked() {
  if (expression.is_all() && !last_failed) return {};
  return [this](const Cell& cell, CellKind kind, const ModelPlan&) {
    const bool found =
        expression.matches(cell.label, kind, cell.key) && (!last_failed || is_failure(state_from_name(cell.state)));
    count += found ? 1 : 0;
    return found;
  };
}

void Choice::require_some(const Plan& plan) const {
  if (count > 0 || (expression.is_all() && !last_failed)) return;
  throw Error(ErrorKind::nothing, fmt::format("no {}cell of experiment '{}' is selected{}; `nearfar plan` lists them",
                                              last_failed ? "failed " : "", plan.experiment.name,
                                              text.empty() ? "" : fmt::format(" by -k '{}'", text)));
}

}  // namespace nearfar
