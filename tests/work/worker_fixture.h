#pragma once
/// The whole of a run without a process: a plan, a database in a temporary folder, engines that are fakes.
#include "base/files.h"
#include "plan/fake_engine.h"
#include "support/golden.h"
#include "work/fakes.h"
#include "work/put.h"
#include "work/worker.h"

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

namespace nearfar::testing {

class WorkerTest : public ::testing::Test {
 protected:
  Plan plan(const std::vector<std::string>& overrides = {}, const std::string& out = "out") {
    const auto file = folder_.path() / "x.toml";
    write_file_atomic(
        file, "name = 'x'\nbenchmark = 'smoke'\nlosses = ['ce']\npostprocessors = ['msp', 'knn']\n[run]\njobs = 2\n");
    return make_plan({.experiment = load_experiment({file}, overrides),
                      .benchmark_folders = {source_dir() / "configs/benchmarks"},
                      .out = folder_.path() / out,
                      .database = folder_.path() / "results.sqlite"},
                     fake_engine());
  }

  WorkSummary run(FakeLauncher& launcher, const std::vector<std::string>& overrides = {},
                  const std::string& out = "out", const WorkerOptions& options = {.quiet = true}) {
    Plan made = plan(overrides, out);
    Session session = Session::open(made.database);
    session.queue().recover_stale();
    PutPlan put = put_plan(made, session);
    return Worker(made, std::move(put), session, world(launcher), options).run();
  }
  WorkerWorld world(FakeLauncher& launcher) {
    return {.launcher = launcher, .clock = clock_, .owner = "me", .say = [this](std::string_view line) {
              said_ += std::string(line) + "\n";
            }};
  }
  std::map<std::string, CellStatus> cells() {
    std::map<std::string, CellStatus> all;
    const Session session = Session::open_read_only(folder_.path() / "results.sqlite");
    for (const CellStatus& cell : session.results().cells()) all[cell.label] = cell;
    return all;
  }

  TempDir folder_;
  FakeClock clock_;
  std::string said_;
};

}  // namespace nearfar::testing
