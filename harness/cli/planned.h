#pragma once
/// What verbs that plan have in common: run, plan, retry, submit, worker.
#include "base/signals.h"
#include "cli/verbs.h"
#include "plan/plan.h"
#include "store/selection.h"
#include "store/session.h"
#include "work/compare.h"
#include "work/device_slots.h"

#include <cstdint>
#include <string>
#include <vector>

namespace nearfar {

/// Of this machine. Before anything is planned: a result must not be stored as made on a device that nothing was
/// computed on. Error(config) for one that is not usable.
std::vector<DeviceSlot> devices_of(const std::string& device);

/// A bar while image files are read for the first time, which may take an hour; a signal ends it, and the next call
/// goes on there. `signals`: of the caller, that outlive it; nullptr: it takes its own when reading takes time.
ReadingProgress reading_bar(bool quiet, const StopSignals* signals = nullptr);

/// Warns of what is odd about the data, as `data check` would.
void tell_of_data(const Plan& plan);

/// From files and overrides, with tell_of_data(). Error(config) where no file is given.
Experiment experiment_of(const RunArguments& arguments);
/// Error(config) for one with [sweep.halving]: its rounds are planned, each by itself (cli/search.h). `signals`: as of
/// reading_bar().
Plan plan_of(const RunArguments& arguments, Experiment experiment, const StopSignals* signals = nullptr);

/// Cells of processes that are gone are planned again, and that is said.
void recover(Session& session);
/// The plan into its database, which is made if need be; nothing is run. Workers do it.
void put_for_workers(Plan& plan);

struct Planned {
  Plan plan;
  std::vector<DeviceSlot> devices;
};
/// plan_of() with the devices of this machine.
Planned planned(const RunArguments& arguments, Experiment experiment, const StopSignals* signals = nullptr);
/// Plan::estimate, by what the database holds, with as many children as this machine would start.
void estimate_time(Planned& planned, const Session& session);
/// The plan of an experiment of this database: nothing but the database, data and plugins is read.
Planned planned_again(const ExperimentRecord& record, const std::filesystem::path& database, const RunLimits& limits,
                      bool trust, bool quiet);

/// -k and --last-failed. Outlives what asked() gives.
struct Choice {
  std::string text = {};  ///< of -k
  Selection expression = Selection(text);
  bool last_failed = false;
  std::int64_t count = 0;  ///< cells that were found

  Asked asked();
  /// Error(nothing) where something was asked for and no cell is it.
  void require_some(const Plan& plan) const;
};

}  // namespace nearfar
