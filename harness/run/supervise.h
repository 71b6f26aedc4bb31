#pragma once
/// Runs a plan: one child process per train cell and per model's group of eval cells, as many at a time as the
/// experiment says; every outcome is in the database before the next step. Interrupted or killed at any moment, the
/// same command goes on where it stopped.
#include "run/plan.h"

#include <cstdint>
#include <string>
#include <vector>

namespace nearfar {

struct RunOptions {
  bool fail_fast =
      false;  ///< stop after the first failed cell; the default is to go on with what does not depend on it
  bool quiet = false;
};

/// What one image set cost one model, in images: through the network unchanged, through a backward pass, changed images
/// or parts of the network; `float64` is all of these through its float64 copy. A set that is not listed came from the
/// cache.
struct PassRow {
  std::string model, set;
  std::int64_t forward = 0, gradients = 0, changed = 0, float64 = 0;
};

struct RunSummary {
  std::int64_t ran = 0, failed = 0, skipped = 0;  ///< cells; skipped: their model failed, or somebody else has them
  bool interrupted = false;
  double seconds = 0;
  std::vector<PassRow> passes;
};

/// Puts the plan into the store and runs what will_run says. SIGINT and SIGTERM: children write a checkpoint and are
/// handed back.
RunSummary run_plan(Plan& plan, Store& store, const RunOptions& options);

}  // namespace nearfar
