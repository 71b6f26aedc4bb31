#include "cli/planned.h"

#include "base/error.h"
#include "base/locations.h"
#include "base/log.h"
#include "base/progress.h"
#include "base/signals.h"
#include "base/stopwatch.h"
#include "base/text.h"
#include "config/document.h"
#include "work/engine_client.h"
#include "work/selection.h"

#include <fmt/format.h>

#include <array>
#include <cstdlib>
#include <memory>
#include <optional>

namespace nearfar {
namespace {

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

Planned planned(Experiment experiment, PlanRequest request, bool quiet) {
  std::vector<DeviceSlot> devices = devices_of(experiment.device);
  const auto bar = std::make_shared<ReadingBar>(quiet);
  request.experiment = std::move(experiment);
  request.reading = [bar](std::string_view set, std::int64_t done, std::int64_t total) {
    return (*bar)(set, done, total);
  };
  Plan plan = make_plan(request, engine_asker());
  for (const BenchmarkPlan& benchmark : plan.benchmarks) tell_of_data(benchmark);
  return {std::move(plan), std::move(devices)};
}

/// Plugin folders that a stored experiment was planned with.
Paths plugin_dirs_of(const std::string& profile) {
  Paths folders;
  const Value document = parse_toml(profile, "the stored paths");
  const auto plugins = document.table()->find("plugins");
  if (plugins == document.table()->end() || !plugins->second.table()) return folders;
  const auto directories = plugins->second.table()->find("directories");
  if (directories == plugins->second.table()->end() || !directories->second.list()) return folders;
  for (const Value& one : *directories->second.list()) {
    if (const auto* text = std::get_if<std::string>(&one.data)) folders.emplace_back(*text);
  }
  return folders;
}

}  // namespace

Planned planned(const RunArguments& arguments) {
  if (arguments.files.empty() && arguments.overrides.empty()) {
    throw Error(ErrorKind::config, "no experiment file is given; expected nearfar run CONFIG.toml [key=value…]");
  }
  return planned(load_experiment(arguments.files, arguments.overrides),
                 {.benchmark_folders = benchmark_folders(arguments.files),
                  .plugin_dirs = arguments.plugin_dirs,
                  .out = arguments.out,
                  .database = arguments.database,
                  .trust = arguments.trust},
                 arguments.quiet);
}

Planned planned_again(const ExperimentRecord& record, const std::filesystem::path& database, const RunLimits& limits,
                      bool trust, bool quiet) {
  Experiment experiment = load_composed_experiment(record.composed, record.profile);
  if (limits.jobs) experiment.jobs = *limits.jobs;
  if (limits.retries) experiment.retries = *limits.retries;
  return planned(std::move(experiment),
                 {.benchmark_folders = benchmark_folders({}),
                  .plugin_dirs = plugin_dirs_of(record.profile),
                  .database = database,
                  .trust = trust},
                 quiet);
}

bool is_failed(CellState state) { return state >= CellState::failed && state <= CellState::invalid; }

Asked Choice::asked() {
  if (expression.is_all() && !last_failed) return {};
  return [this](const Cell& cell, CellKind kind, const ModelPlan&) {
    const bool found =
        expression.matches(cell.label, kind, cell.key) && (!last_failed || is_failed(state_from_name(cell.state)));
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
