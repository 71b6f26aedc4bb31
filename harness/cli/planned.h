#pragma once
/// What `run`, `plan` and `retry` have in common: from arguments, or from what a database keeps, to a plan; and which
/// of its cells are asked for.
#include "cli/verbs.h"
#include "plan/plan.h"
#include "store/types.h"
#include "work/compare.h"
#include "work/device_slots.h"
#include "work/selection.h"

#include <cstdint>
#include <string>
#include <vector>

namespace nearfar {

struct Planned {
  Plan plan;
  std::vector<DeviceSlot> devices;
};

/// Reads images for the first time where that has to be, with a bar. Errors as load_experiment() and make_plan();
/// Error(config) for a device that is not usable here.
Planned planned(const RunArguments& arguments);
/// The plan of an experiment of this database: nothing but the database, data and plugins is read.
Planned planned_again(const ExperimentRecord& record, const std::filesystem::path& database, const RunLimits& limits,
                      bool trust, bool quiet);

bool is_failed(CellState state);

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
