#include "cli/planned.h"

#include "base/error.h"
#include "base/locations.h"
#include "base/log.h"
#include "base/progress.h"
#include "base/stopwatch.h"
#include "work/engine_client.h"
#include "work/put.h"

#include <fmt/format.h>

#include <cstdlib>
#include <memory>
#include <optional>

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
  if (arguments.files.empty()) {
    throw Error(ErrorKind::config, "no experiment file is given; expected nearfar run CONFIG.toml [key=value…]");
  }
  return load_experiment(arguments.files, arguments.overrides,
                         arguments.max_cells > 0 ? arguments.max_cells : kMaxCells);
}

Plan plan_of(const RunArguments& arguments, Experiment experiment) {
  Plan plan = make_plan({.experiment = std::move(experiment),
                         .benchmark_folders = benchmark_folders(arguments.files),
                         .plugin_dirs = arguments.plugin_dirs,
                         .out = arguments.out,
                         .database = arguments.database,
                         .trust = arguments.trust,
                         .reading = reading_bar(arguments.quiet)},
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

}  // namespace nearfar
