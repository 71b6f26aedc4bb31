#include "work/join.h"

#include "base/error.h"
#include "store/process.h"
#include "work/worker_fixture.h"

namespace nearfar {
namespace {

namespace fs = std::filesystem;
using testing::FakeLauncher;

/// A worker that did not plan: it does what the database holds.
class JoinedTest : public testing::WorkerTest {
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
