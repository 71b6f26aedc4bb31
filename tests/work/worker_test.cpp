/// The whole of a run without a process: a plan, a database in a temporary folder, engines that are fakes.
#include "work/worker.h"

#include "base/error.h"
#include "base/files.h"
#include "plan/fake_engine.h"
#include "store/process.h"
#include "support/golden.h"
#include "work/fakes.h"
#include "work/join.h"

#include <gtest/gtest.h>

#include <csignal>
#include <map>

namespace nearfar {
namespace {

namespace fs = std::filesystem;
using testing::FakeLauncher;

class WorkerTest : public ::testing::Test {
 protected:
  Plan plan(const std::vector<std::string>& overrides = {}, const std::string& out = "out") {
    const auto file = folder_.path() / "x.toml";
    write_file_atomic(
        file, "name = 'x'\nbenchmark = 'smoke'\nlosses = ['ce']\npostprocessors = ['msp', 'knn']\n[run]\njobs = 2\n");
    return make_plan({.experiment = load_experiment({file}, overrides),
                      .benchmark_folders = {testing::source_dir() / "configs/benchmarks"},
                      .out = folder_.path() / out,
                      .database = folder_.path() / "results.sqlite"},
                     testing::fake_engine());
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
  testing::FakeClock clock_;
  std::string said_;
};

TEST_F(WorkerTest, DoesEveryCellOnceAndThenNothing) {
  FakeLauncher launcher;
  const WorkSummary first = run(launcher);
  EXPECT_EQ(first.ran, 1 + 5 + 1 + 2);
  EXPECT_EQ(first.failed + first.skipped + first.elsewhere + first.handed_back, 0);
  EXPECT_EQ(launcher.launched, (std::vector<std::string>{"train", "eval"})) << "one process for all of a model's cells";
  for (const auto& [label, cell] : cells()) EXPECT_EQ(cell.state, CellState::ok) << label;
  const WorkSummary again = run(launcher);
  EXPECT_EQ(again.ran, 0);
  EXPECT_EQ(launcher.launched.size(), 2u);
  const Plan after = plan();
  EXPECT_EQ(Session::open_read_only(after.database).results().frame().subjects.size(), 2u);
}

TEST_F(WorkerTest, TheSameDatabaseUnderAnotherFolderRerunsNothing) {
  // E2: where files are is the database's knowledge, not the command's.
  FakeLauncher launcher;
  run(launcher, {}, "a");
  EXPECT_EQ(run(launcher, {}, "b").ran, 0);
  EXPECT_EQ(run(launcher, {}, "a").ran, 0);
  // One more method from b: the network and its features of a serve it.
  EXPECT_EQ(run(launcher, {"postprocessors=msp,knn,odin"}, "b").ran, 1);
  const wire::EvalJob& job = launcher.evals.back();
  EXPECT_TRUE(job.model.file.starts_with((folder_.path() / "a").string())) << job.model.file;
  EXPECT_EQ(job.features_out, (folder_.path() / "a").string());
  EXPECT_EQ(job.out, (folder_.path() / "b").string());
  for (const wire::PassCell& pass : job.score_sets) EXPECT_EQ(pass.cell, "") << "no pass is made twice";
}

TEST_F(WorkerTest, LostFilesAreMadeAgainAndNothingElse) {
  FakeLauncher launcher;
  run(launcher);
  fs::remove_all(folder_.path() / "out/cells" / cells().at("ce/resnet8/s0 knn").key.substr(0, 16));
  EXPECT_EQ(run(launcher).ran, 1);
  fs::remove(folder_.path() / "out/cells" / cells().at("ce/resnet8/s0").key.substr(0, 16) / "best.safetensors");
  EXPECT_EQ(run(launcher).ran, 1 + 1 + 2) << "training, accuracy and evaluations; the features are there";
  fs::remove_all(folder_.path() / "out/cache");
  EXPECT_EQ(run(launcher).ran, 0) << "nothing needs them now";
}

TEST_F(WorkerTest, AFailedMethodCostsItsOwnCell) {
  FakeLauncher launcher({.fail = {"knn"}});
  const WorkSummary summary = run(launcher);
  EXPECT_EQ(summary.failed, 1);
  EXPECT_EQ(cells().at("ce/resnet8/s0 knn").message, "boom");
  EXPECT_EQ(cells().at("ce/resnet8/s0 msp").state, CellState::ok);
  launcher.orders = {};
  EXPECT_EQ(run(launcher).ran, 1) << "a failed cell is tried again by the next run";
}

TEST_F(WorkerTest, ACrashCostsTheCellThatWasWorkedForAndTheRestGoesOn) {
  FakeLauncher launcher({.crash_on = {"msp"}});
  const WorkSummary summary = run(launcher);
  EXPECT_EQ(cells().at("ce/resnet8/s0 msp").state, CellState::crashed);
  EXPECT_EQ(cells().at("ce/resnet8/s0 knn").state, CellState::ok);
  EXPECT_EQ(summary.failed, 1);
  EXPECT_EQ(launcher.launched, (std::vector<std::string>{"train", "eval", "eval"}));
}

TEST_F(WorkerTest, APassFailsAloneAndWhatNeedsItIsNotTried) {
  FakeLauncher launcher({.fail = {"far/blobs"}});
  const WorkSummary summary = run(launcher);
  EXPECT_EQ(summary.failed, 1);
  EXPECT_EQ(summary.skipped, 3);
  EXPECT_EQ(cells().at("ce/resnet8/s0 features of far/blobs").state, CellState::failed);
  EXPECT_EQ(cells().at("ce/resnet8/s0 features of test").state, CellState::ok);
  EXPECT_EQ(cells().at("ce/resnet8/s0 msp").state, CellState::planned);
  launcher.orders = {};
  launcher.passed.clear();
  run(launcher);
  EXPECT_EQ(launcher.passed, std::vector<std::string>{"ce/resnet8/s0 far/blobs"});
}

TEST_F(WorkerTest, ACrashedPassIsNotRepeatedWithoutEnd) {
  FakeLauncher launcher({.crash_on = {"test"}});
  const WorkSummary summary = run(launcher);
  EXPECT_EQ(cells().at("ce/resnet8/s0 features of test").state, CellState::crashed);
  EXPECT_EQ(summary.failed, 1);
  EXPECT_EQ(summary.skipped, 3);
  EXPECT_EQ(summary.ran, 1 + 4) << "training and the other passes";
}

TEST_F(WorkerTest, AModelThatFailsTakesItsCellsAlong) {
  FakeLauncher launcher({.fail = {"train"}});
  const WorkSummary summary = run(launcher, {"losses=ce,supcon"});
  EXPECT_EQ(summary.failed, 2);
  EXPECT_EQ(summary.ran, 0);
  EXPECT_EQ(cells().at("ce/resnet8/s0").state, CellState::nan);
  EXPECT_EQ(cells().at("ce/resnet8/s0 msp").state, CellState::planned);
}

TEST_F(WorkerTest, AnEngineStoppedFromOutsideDoesNotEndTheOthers) {
  // E6. Both trainings are stopped; the run goes on to its end and says so.
  FakeLauncher launcher({.stop_outside = {"train"}});
  const WorkSummary summary = run(launcher, {"losses=ce,supcon", "run.jobs=1"});
  EXPECT_EQ(launcher.launched.size(), 2u) << "the second was begun after the first was stopped";
  EXPECT_FALSE(summary.interrupted);
  EXPECT_GT(summary.handed_back, 0);
  EXPECT_EQ(cells().at("ce/resnet8/s0").state, CellState::planned);
  EXPECT_NE(said_.find("stopped from outside"), std::string::npos);
}

TEST_F(WorkerTest, ALostLeaseCostsItsOwnCell) {
  // E8: another process took the cell over while the engine worked.
  FakeLauncher launcher;
  Plan made = plan();
  Session session = Session::open(made.database), other = Session::open(made.database);
  PutPlan put = put_plan(made, session);
  class Thief final : public Launcher {
   public:
    Thief(FakeLauncher& inner, Session& other, std::string key) : inner_(inner), other_(other), key_(std::move(key)) {}
    std::unique_ptr<Process> launch(const LaunchRequest& request) override {
      auto process = inner_.launch(request);
      if (request.verb == "eval") {
        const auto details = other_.results().find(key_);
        for (const RunStatus& run : details->runs) other_.queue().hand_back(run.uid, "taken");
      }
      return process;
    }

   private:
    FakeLauncher& inner_;
    Session& other_;
    std::string key_;
  } thief(launcher, other, made.evals.at(0).cell.key);
  WorkerWorld there = world(launcher);
  Worker worker(made, std::move(put), session, {.launcher = thief, .clock = clock_, .owner = "me", .say = there.say},
                {.quiet = true});
  const WorkSummary summary = worker.run();
  EXPECT_EQ(cells().at("ce/resnet8/s0 knn").state, CellState::ok);
  EXPECT_GE(summary.elsewhere, 1);
  EXPECT_EQ(summary.failed, 0);
}

TEST_F(WorkerTest, WhatAnotherProcessHasDoneMeanwhileIsNotLeft) {
  // Two runs of one experiment at once: the last to end has seen every cell done.
  FakeLauncher launcher;
  Plan both = plan({"seeds=0,1"});
  Session session = Session::open(both.database);
  PutPlan put = put_plan(both, session);
  class Other final : public Launcher {
   public:
    Other(FakeLauncher& inner, std::function<void()> run) : inner_(inner), run_(std::move(run)) {}
    std::unique_ptr<Process> launch(const LaunchRequest& request) override {
      auto process = inner_.launch(request);
      if (request.verb == "train") run_();
      return process;
    }

   private:
    FakeLauncher& inner_;
    std::function<void()> run_;
  };
  // While we train the model of seed 0, another run does all of seed 1.
  WorkSummary theirs;
  Other other(launcher, [&] {
    if (theirs.ran == 0) theirs = run(launcher, {"seeds=1"});
  });
  WorkerWorld there = world(launcher);
  Worker worker(both, std::move(put), session, {.launcher = other, .clock = clock_, .owner = "we", .say = there.say},
                {.quiet = true});
  const WorkSummary ours = worker.run();
  EXPECT_EQ(theirs.ran, 9);
  EXPECT_EQ(ours.ran, 9);
  EXPECT_EQ(ours.done_elsewhere, 9);
  EXPECT_EQ(ours.elsewhere, 0);
  for (const auto& [label, cell] : cells()) EXPECT_EQ(cell.state, CellState::ok) << label;
}

TEST_F(WorkerTest, WhatAnotherProcessStillHasIsLeftAndNamed) {
  FakeLauncher launcher;
  Plan made = plan();
  Session session = Session::open(made.database);
  PutPlan put = put_plan(made, session);
  ASSERT_TRUE(session.queue().claim(made.trains.at(0).cell.key, {.owner = owner_of_this_process()}));
  WorkerWorld there = world(launcher);
  const WorkSummary summary = Worker(made, std::move(put), session, std::move(there), {.quiet = true}).run();
  EXPECT_EQ(summary.ran, 0);
  EXPECT_EQ(summary.elsewhere, 9);
  EXPECT_NE(said_.find("9 cells were left to other processes (" + owner_of_this_process() + ")"), std::string::npos)
      << said_;
}

TEST_F(WorkerTest, AMachineWithoutAProcessToSpareIsTriedAgain) {
  // E20: fork fails; nothing is lost, and the cells stay planned.
  FakeLauncher launcher({.refuse_launch = true});
  EXPECT_THROW(run(launcher), Error);
  EXPECT_EQ(cells().at("ce/resnet8/s0").state, CellState::planned);
  launcher.orders = {};
  EXPECT_EQ(run(launcher).ran, 9);
}

TEST_F(WorkerTest, FailFastStopsAfterTheFirstFailure) {
  FakeLauncher launcher({.fail = {"train"}});
  run(launcher, {"losses=ce,supcon", "run.jobs=1"}, "out", {.fail_fast = true, .quiet = true});
  EXPECT_EQ(launcher.launched.size(), 1u);
}

TEST_F(WorkerTest, AStopSignalEndsTheRunAndHandsBack) {
  FakeLauncher launcher;
  Plan made = plan();
  Session session = Session::open(made.database);
  PutPlan put = put_plan(made, session);
  const StopSignals signals;
  ::raise(SIGTERM);
  WorkerWorld there = world(launcher);
  there.signals = &signals;
  const WorkSummary summary = Worker(made, std::move(put), session, there, {.quiet = true}).run();
  EXPECT_TRUE(summary.interrupted);
  EXPECT_EQ(summary.ran, 0);
  EXPECT_EQ(launcher.launched.size(), 0u);
}

TEST_F(WorkerTest, TwoConfigsWithTheSameSeedAreTwoRows) {
  // E1: what was averaged as seeds of one row.
  FakeLauncher launcher;
  run(launcher, {"train.epochs=2"});
  run(launcher, {"train.epochs=1"});
  const Plan made = plan();
  const ResultsFrame frame = Session::open_read_only(made.database).results().frame();
  EXPECT_EQ(frame.subjects.size(), 4u);
  std::set<std::string> epochs;
  for (const ResultSubject& subject : frame.subjects) {
    for (const Factor& factor : subject.factors) {
      if (factor.name == "train.epochs") epochs.insert(std::to_string(std::get<std::int64_t>(factor.value)));
    }
  }
  EXPECT_EQ(epochs, (std::set<std::string>{"1", "2"}));
}

/// A worker that did not plan: it does what the database holds.
class JoinedTest : public WorkerTest {
 protected:
  void SetUp() override {
    Plan made = plan({"losses=ce,supcon"});
    Session session = Session::open(made.database);
    put_plan(made, session);
    id_ = session.results().experiment("x")->id;
  }
  WorkSummary work(Launcher& launcher, const std::vector<std::string>& overrides = {}, WorkerOptions options = {}) {
    std::vector<std::string> all{"losses=ce,supcon"};
    all.insert(all.end(), overrides.begin(), overrides.end());
    Plan made = plan(all, out_);
    Session session = Session::open(made.database);
    joined_ = join_plan(made, id_, session);
    options.quiet = true;
    options.wait_for_others = true;
    return Worker(
               made, joined_.put, session,
               {launcher, clock_, "me", nullptr, [this](std::string_view line) { said_ += std::string(line) + "\n"; }},
               options)
        .run();
  }
  std::string join_refusal(const std::vector<std::string>& overrides) {
    Plan made = plan(overrides);
    Session session = Session::open(made.database);
    try {
      join_plan(made, id_, session);
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::config);
      return error.what();
    }
    return "";
  }

  std::int64_t id_ = 0;
  std::string out_ = "out";
  JoinedPlan joined_;
  FakeLauncher launcher_;
};

TEST_F(JoinedTest, DoesEveryCellOfTheDatabase) {
  const WorkSummary summary = work(launcher_);
  EXPECT_EQ(summary.ran, 2 * (1 + 5 + 1) + 3) << "msp does not apply to supcon";
  EXPECT_EQ(summary.failed + summary.skipped + summary.elsewhere, 0);
  EXPECT_EQ(work(launcher_).ran, 0);
}

TEST_F(JoinedTest, TriesNothingAgainThatFailed) {
  launcher_.orders.fail = {"knn"};
  EXPECT_EQ(work(launcher_).failed, 2);
  launcher_.orders = {};
  const WorkSummary again = work(launcher_);
  EXPECT_EQ(again.ran, 0) << "that is asked for by putting the plan again";
  EXPECT_EQ(joined_.failed_before, 2);
  run(launcher_, {"losses=ce,supcon"});
  EXPECT_EQ(work(launcher_).ran, 0);
  EXPECT_EQ(joined_.failed_before, 0);
}

TEST_F(JoinedTest, ModelsThatFailedElsewhereAreSkippedNotLeft) {
  launcher_.orders.fail = {"train"};
  work(launcher_);
  const WorkSummary again = work(launcher_);
  EXPECT_EQ(again.skipped, 2 * (5 + 1) + 3);
  EXPECT_EQ(again.elsewhere, 0);
}

TEST_F(JoinedTest, WhatLacksAPassThatFailedElsewhereIsNotTried) {
  launcher_.orders.fail = {"far/blobs"};
  const WorkSummary first = work(launcher_);
  EXPECT_EQ(first.failed, 2);
  EXPECT_EQ(first.skipped, 2 + 3);
  launcher_.evals.clear();
  const WorkSummary second = work(launcher_);
  EXPECT_EQ(second.skipped, 3);
  EXPECT_EQ(second.ran, 2) << "accuracies, which do not look at that set";
  for (const wire::EvalJob& job : launcher_.evals) EXPECT_TRUE(job.cells.empty()) << "cells that cannot be done";
}

TEST_F(JoinedTest, BeginsNoMoreCellsThanItMay) {
  EXPECT_EQ(work(launcher_, {}, {.most_cells = 4}).ran, 4) << "two trainings and two passes";
  const WorkSummary rest = work(launcher_);
  EXPECT_EQ(rest.ran, 2 * (5 + 1) + 3 - 2);
  EXPECT_EQ(rest.elsewhere, 0);
}

TEST_F(JoinedTest, HandsBackWhenTheTimeIsOver) {
  const WorkSummary summary = work(launcher_, {}, {.stop_after_seconds = 0.1});
  EXPECT_TRUE(summary.interrupted);
  EXPECT_NE(said_.find("the time is over"), std::string::npos);
  for (const auto& [label, cell] : cells()) EXPECT_NE(cell.state, CellState::running) << label;
}

TEST_F(JoinedTest, WaitsForWhatOthersRunAndDoesWhatThatMakesReady) {
  // Another worker has both trainings; it finishes one and then dies.
  Session other = Session::open(folder_.path() / "results.sqlite");
  std::map<std::string, Lease> leases;
  for (const auto& [label, cell] : cells()) {
    if (cell.kind == CellKind::train)
      leases[label] = other.queue().claim(cell.key, {.owner = "another-host:1:1", .lease_seconds = 3600}).value();
  }
  ASSERT_EQ(leases.size(), 2u);
  class Other final : public Launcher {
   public:
    Other(FakeLauncher& inner, std::function<void()> then) : inner_(inner), then_(std::move(then)) {}
    std::unique_ptr<Process> launch(const LaunchRequest& request) override {
      if (then_) std::exchange(then_, nullptr)();
      return inner_.launch(request);
    }
    FakeLauncher& inner_;
    std::function<void()> then_;
  };
  // The first finishes before we ask; the second is handed back while we score the first.
  Outcome trained;
  const std::string ce = cells().at("ce/resnet8/s0").key.substr(0, 16);
  write_file_atomic(folder_.path() / "out/cells" / ce / "best.safetensors", "weights");
  other.queue().finish(leases.at("ce/resnet8/s0").run_uid, trained);
  Other launcher(launcher_, [&] { other.queue().hand_back(leases.at("supcon/resnet8/s0").run_uid, "stopped"); });
  const WorkSummary summary = work(launcher);
  EXPECT_EQ(summary.ran, 1 + 2 * (5 + 1) + 3) << said_;
  EXPECT_EQ(summary.elsewhere, 0);
}

TEST_F(JoinedTest, WhatAProcessLeftBehindIsDoneToo) {
  // A worker nobody here can see, whose lease has run out.
  Session other = Session::open(folder_.path() / "results.sqlite");
  for (const auto& [label, cell] : cells()) {
    if (cell.kind == CellKind::train) other.queue().claim(cell.key, {.owner = "another-host:1:1", .lease_seconds = -1});
  }
  EXPECT_EQ(work(launcher_).ran, 2 * (1 + 5 + 1) + 3);
}

TEST_F(JoinedTest, FindsCheckpointsInTheFoldersOfOtherWorkers) {
  EXPECT_EQ(work(launcher_, {}, {.most_cells = 2}).ran, 2);  // the trainings
  out_ = "out-of-another";
  EXPECT_EQ(work(launcher_).ran, 2 * (5 + 1) + 3);
  EXPECT_TRUE(launcher_.evals.back().model.file.starts_with((folder_.path() / "out/cells").string()));
  EXPECT_EQ(launcher_.evals.back().out, (folder_.path() / out_).string());
}

TEST_F(JoinedTest, CellsOfAModelThatIsNotHereAreLeft) {
  EXPECT_EQ(work(launcher_, {}, {.most_cells = 2}).ran, 2);
  fs::remove_all(folder_.path() / "out");
  const WorkSummary summary = work(launcher_);
  EXPECT_EQ(summary.ran, 0);
  EXPECT_EQ(summary.elsewhere, 2 * (5 + 1) + 3);
  EXPECT_NE(said_.find("best.safetensors is not on this machine"), std::string::npos) << said_;
}

TEST_F(JoinedTest, CellsThatAreOthersHereAreRefusedWithWhatDiffers) {
  EXPECT_EQ(join_refusal({"losses=ce,supcon"}), "");
  const std::string other = join_refusal({"losses=ce,supcon", "train.epochs=77"});
  EXPECT_NE(other.find("17 open cells of experiment 'x' are others on this machine"), std::string::npos) << other;
  EXPECT_NE(other.find("the first is 'ce/resnet8/s0': "), std::string::npos) << other;
  EXPECT_NE(other.find("epochs is "), std::string::npos) << other;
  EXPECT_NE(other.find(" there and 77 here"), std::string::npos) << other;
  const std::string fewer = join_refusal({"losses=ce"});
  EXPECT_NE(fewer.find("there is no cell of that name in it"), std::string::npos) << fewer;
}

}  // namespace
}  // namespace nearfar
