#include "work/worker.h"

#include "base/error.h"
#include "store/process.h"
#include "work/worker_fixture.h"

#include <csignal>
#include <set>

namespace nearfar {
namespace {

namespace fs = std::filesystem;
using testing::FakeLauncher, testing::WorkerTest;

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
  EXPECT_EQ(launcher.launched, (std::vector<std::string>{"train", "eval", "eval", "eval"})) << "and once more";
}

TEST_F(WorkerTest, ACrashThatPassesCostsATry) {
  FakeLauncher launcher({.crash_on = {"msp"}, .crashes = 1});
  const WorkSummary summary = run(launcher);
  EXPECT_EQ(summary.failed, 0);
  EXPECT_EQ(summary.ran, 9);
  const CellStatus cell = cells().at("ce/resnet8/s0 msp");
  EXPECT_EQ(cell.state, CellState::ok);
  EXPECT_EQ(cell.attempt, 2);
  EXPECT_NE(said_.find("again     ce/resnet8/s0 msp: in 2 s, try 2 of 2"), std::string::npos) << said_;
}

TEST_F(WorkerTest, TriesAreCountedAndPausesGrow) {
  FakeLauncher launcher({.crash_on = {"train"}});
  const WorkSummary summary = run(launcher, {"run.retries=3"}, "out", {.quiet = true, .crashes_to_quarantine = 99});
  EXPECT_EQ(launcher.launched.size(), 4u);
  EXPECT_EQ(summary.failed, 1);
  EXPECT_EQ(summary.skipped, 8);
  EXPECT_EQ(cells().at("ce/resnet8/s0").state, CellState::crashed);
  for (const char* pause : {"in 2 s, try 2 of 4", "in 4 s, try 3 of 4", "in 8 s, try 4 of 4"})
    EXPECT_NE(said_.find(pause), std::string::npos) << said_;
}

TEST_F(WorkerTest, WhatThePluginToldOfIsNotTriedAgain) {
  FakeLauncher launcher({.fail = {"train"}});
  EXPECT_EQ(run(launcher, {"run.retries=5"}).failed, 1);
  EXPECT_EQ(launcher.launched.size(), 1u);
}

TEST_F(WorkerTest, WhatWaitsForAnotherTryOfItsFeaturesIsNotTriedBefore) {
  FakeLauncher launcher({.crash_on = {"test"}, .crashes = 1});
  const WorkSummary summary = run(launcher);
  EXPECT_EQ(summary.ran, 9);
  EXPECT_EQ(summary.failed + summary.skipped, 0);
  for (const auto& [label, cell] : cells()) EXPECT_EQ(cell.state, CellState::ok) << label;
}

TEST_F(WorkerTest, AHungCellIsKilledAndToldAndTheRestGoesOn) {
  FakeLauncher launcher({.hang = {"msp"}});
  const WorkSummary summary = run(launcher, {"run.hung_seconds=30", "run.retries=0"});
  EXPECT_EQ(cells().at("ce/resnet8/s0 msp").state, CellState::hung);
  EXPECT_NE(cells().at("ce/resnet8/s0 msp").message.find("run.hung_seconds = 30"), std::string::npos);
  EXPECT_EQ(cells().at("ce/resnet8/s0 knn").state, CellState::ok);
  EXPECT_EQ(summary.failed, 1);
}

TEST_F(WorkerTest, AfterThreeCrashesOfAPluginItsOtherCellsAreSkipped) {
  FakeLauncher launcher({.crash_on = {"msp"}});
  const WorkSummary summary = run(launcher, {"seeds=0,1,2,3,4", "run.jobs=1", "run.retries=1"});
  // Of seed 0 twice, of seed 1 once: then no more.
  EXPECT_EQ(summary.failed, 2) << said_;
  EXPECT_EQ(summary.skipped, 3) << said_;
  EXPECT_NE(said_.find("postprocessor 'msp' 1.0.0 is quarantined in this run after 3 crashes or hangs"),
            std::string::npos)
      << said_;
  int crashed = 0, planned = 0;
  for (const auto& [label, cell] : cells()) {
    if (!label.ends_with(" msp")) {
      EXPECT_EQ(cell.state, CellState::ok) << label;
    }
    crashed += cell.state == CellState::crashed ? 1 : 0;
    planned += cell.state == CellState::planned ? 1 : 0;
  }
  EXPECT_EQ(crashed, 2);
  EXPECT_EQ(planned, 3);
}

TEST_F(WorkerTest, OnlyWhatIsAskedForRunsAndWhatItNeeds) {
  FakeLauncher launcher;
  Plan made = plan({"losses=ce,supcon"});
  Session session = Session::open(made.database);
  PutPlan put = put_plan(made, session, [](const Cell& cell, CellKind kind, const ModelPlan&) {
    return kind == CellKind::eval && cell.label == "ce/resnet8/s0 msp";
  });
  const WorkSummary summary = Worker(made, std::move(put), session, world(launcher), {.quiet = true}).run();
  EXPECT_EQ(cells().at("ce/resnet8/s0 msp").state, CellState::ok);
  EXPECT_EQ(cells().at("ce/resnet8/s0 knn").state, CellState::planned);
  EXPECT_EQ(cells().at("supcon/resnet8/s0").state, CellState::planned);
  EXPECT_EQ(summary.ran, 1 + 4 + 1) << "training, the sets that msp scores, msp";
  EXPECT_EQ(run(launcher, {"losses=ce,supcon"}).ran, 17 - 6) << "the rest, later; msp needs logits, which supcon lacks";
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
        for (const RunStatus& run : details->runs) {
          if (run.state == CellState::running) other_.queue().hand_back(run.uid, "taken");
        }
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
  EXPECT_EQ(summary.elsewhere, 1) << "it was tried once more, and taken again";
  EXPECT_EQ(launcher.launched, (std::vector<std::string>{"train", "eval", "eval"}));
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
  run(launcher, {"losses=ce,supcon", "run.jobs=1"}, "out", {.max_failures = 1, .quiet = true});
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

}  // namespace
}  // namespace nearfar
