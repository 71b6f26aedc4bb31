#include "store/store.h"

#include "base/error.h"
#include "base/files.h"
#include "store/sample.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cmath>
#include <limits>
#include <thread>

namespace nearfar {
namespace {

using testing::context, testing::eval_cell, testing::eval_result, testing::train_cell, testing::train_result;

/// One train cell and one eval cell of it, planned.
class StoreTest : public ::testing::Test {
 protected:
  StoreTest() {
    store_.in_transaction([&] {
      experiment_ = store_.put_experiment("one", "canonical", "c0");
      store_.put_benchmark(testing::sample_benchmark());
      store_.put_cell(experiment_, train_, 0);
      store_.put_cell(experiment_, eval_, 1);
    });
  }
  std::size_t leaderboard_size() const { return store_.leaderboard().size(); }

  TempDir folder_;
  std::filesystem::path file_ = folder_.path() / "results.sqlite";
  Store store_ = Store::open(file_);
  CellRecord train_ = train_cell("ce", 0);
  CellRecord eval_ = eval_cell(train_, "knn");
  std::int64_t experiment_ = 0;
  EvalResult result_ = eval_result({0.8, 0.9, 0.94, 1}, {0.5, 0.3, 0.2, 0});
};

TEST(CellStates, NamesReadBack) {
  for (int i = 0; i <= static_cast<int>(CellState::not_applicable); ++i) {
    EXPECT_EQ(state_from_name(state_name(static_cast<CellState>(i))), static_cast<CellState>(i));
  }
  EXPECT_EQ(state_name(CellState::not_applicable), "not-applicable");
  EXPECT_THROW(state_from_name("okay"), Error);
}

TEST_F(StoreTest, PlanningTwiceChangesNothing) {
  EXPECT_EQ(store_.put_experiment("one", "canonical", "c0"), experiment_);
  store_.put_benchmark(testing::sample_benchmark());
  CellRecord changed = eval_;
  changed.label = "another";
  store_.put_cell(experiment_, changed, 1);
  const std::vector<CellStatus> cells = store_.cells();
  ASSERT_EQ(cells.size(), 2u);
  EXPECT_EQ(cells[1].label, "ce/net/s0 knn");
  EXPECT_EQ(store_.benchmarks().at(0).sets.size(), 4u);
}

TEST_F(StoreTest, PluginsAreRememberedOnce) {
  const PluginRecord plugin{"loss", "ce", "1.0.0", "source", "binary", "tag"};
  const std::int64_t id = store_.put_plugin(plugin);
  EXPECT_EQ(store_.put_plugin(plugin), id);
  EXPECT_NE(store_.put_plugin({"loss", "ce", "1.0.0", "source", "rebuilt", "tag"}), id);
  EXPECT_EQ(store_.plugins().size(), 2u);
}

TEST_F(StoreTest, CellsOfOneExperimentOnly) {
  const std::int64_t other = store_.put_experiment("other", "canonical 2", "c1");
  store_.put_cell(other, train_, 0);
  EXPECT_EQ(store_.cells("other").size(), 1u);
  EXPECT_EQ(store_.cells("one").size(), 2u);
  EXPECT_EQ(store_.cells().size(), 2u);  // shared, not doubled
  EXPECT_EQ(store_.cells("none").size(), 0u);
  EXPECT_EQ(store_.experiments(), (std::vector<std::string>{"one", "other"}));
}

TEST_F(StoreTest, EvalNeedsItsTrainCellAndBenchmarkFirst) {
  CellRecord orphan = eval_cell(train_cell("supcon", 7), "knn");
  EXPECT_THROW(store_.put_cell(experiment_, orphan, 2), Error);
  CellRecord elsewhere = train_cell("supcon", 7);
  elsewhere.data_hash = "unknown";
  EXPECT_THROW(store_.put_cell(experiment_, elsewhere, 2), Error);
}

TEST_F(StoreTest, CellGoesFromPlannedToOk) {
  EXPECT_EQ(store_.state(eval_.key), CellState::planned);
  const std::optional<std::int64_t> run = store_.claim(eval_.key, context());
  ASSERT_TRUE(run);
  EXPECT_EQ(store_.state(eval_.key), CellState::running);
  store_.finish_eval(*run, result_);
  EXPECT_EQ(store_.state(eval_.key), CellState::ok);
  EXPECT_FALSE(store_.claim(eval_.key, context())) << "done once";
  EXPECT_EQ(store_.state("no such key"), std::nullopt);
  EXPECT_THROW((void)store_.claim("no such key", context()), Error);
}

TEST_F(StoreTest, OnlyOneClaimSucceeds) {
  ASSERT_TRUE(store_.claim(eval_.key, context()));
  EXPECT_FALSE(store_.claim(eval_.key, context()));
  Store another = Store::open(file_);
  EXPECT_FALSE(another.claim(eval_.key, context()));
}

TEST_F(StoreTest, ClaimsFromSeveralConnectionsNeverOverlap) {
  store_.in_transaction([&] {
    for (int seed = 1; seed <= 20; ++seed) store_.put_cell(experiment_, train_cell("ce", seed), seed);
  });
  std::atomic<int> claimed = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      Store mine = Store::open(file_);
      for (int seed = 1; seed <= 20; ++seed) claimed += mine.claim(train_cell("ce", seed).key, context()) ? 1 : 0;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(claimed, 20);
}

TEST_F(StoreTest, FailedCellMayBeClaimedAgainWithTheNextAttempt) {
  store_.fail(store_.claim(eval_.key, context()).value(), CellState::crashed, "signal 11");
  EXPECT_EQ(store_.cells()[1].message, "signal 11");
  store_.finish_eval(store_.claim(eval_.key, context()).value(), result_);
  const CellDetails details = store_.find(eval_.key).value();
  ASSERT_EQ(details.runs.size(), 2u);
  EXPECT_EQ(details.runs[0].state, CellState::crashed);
  EXPECT_EQ(details.runs[0].message, "signal 11");
  EXPECT_EQ(details.runs[1].attempt, 2);
  EXPECT_EQ(details.status.attempt, 2);
  EXPECT_EQ(details.status.message, "");
}

TEST_F(StoreTest, SupersededRunIsFencedOff) {
  const std::int64_t first = store_.claim(eval_.key, context()).value();
  store_.hand_back(first);
  EXPECT_EQ(store_.state(eval_.key), CellState::planned);
  const std::int64_t second = store_.claim(eval_.key, context()).value();
  EXPECT_THROW(store_.finish_eval(first, result_), Error);
  EXPECT_THROW(store_.fail(first, CellState::failed, "late"), Error);
  EXPECT_EQ(store_.state(eval_.key), CellState::running);
  EXPECT_EQ(leaderboard_size(), 0u);
  store_.finish_eval(second, result_);
  EXPECT_THROW(store_.finish_eval(second, result_), Error) << "ends once";
}

TEST_F(StoreTest, NotApplicableIsFinalButNeverReplacesAResult) {
  store_.set_not_applicable(eval_.key, "msp needs logits");
  EXPECT_EQ(store_.state(eval_.key), CellState::not_applicable);
  EXPECT_FALSE(store_.claim(eval_.key, context()));
  testing::run_train(store_, train_, train_result(0.9, "linear"));
  store_.set_not_applicable(train_.key, "too late");
  EXPECT_EQ(store_.state(train_.key), CellState::ok);
}

TEST_F(StoreTest, ValueOutsideOfZeroToOneUndoesTheWholeResult) {
  const std::int64_t run = store_.claim(eval_.key, context()).value();
  for (const double bad : {std::numeric_limits<double>::quiet_NaN(), 93.0, -0.1}) {
    EvalResult broken = result_;
    broken.metrics.back().value = bad;
    EXPECT_THROW(store_.finish_eval(run, broken), Error);
    EXPECT_EQ(store_.state(eval_.key), CellState::running);
  }
  EXPECT_TRUE(store_.find(eval_.key)->metrics.empty());
  store_.fail(run, CellState::nan, "AUROC is NaN");
  EXPECT_EQ(store_.state(eval_.key), CellState::nan);
}

TEST_F(StoreTest, InvalidatedResultLeavesTheLeaderboardAndRunsAgain) {
  testing::run_eval(store_, eval_, result_);
  EXPECT_EQ(leaderboard_size(), 8u);
  store_.invalidate(eval_.key, "scores are gone");
  EXPECT_EQ(leaderboard_size(), 0u);
  EXPECT_EQ(store_.events().back().message, "scores are gone");
  testing::run_eval(store_, eval_, result_);
  EXPECT_EQ(leaderboard_size(), 8u);
}

TEST_F(StoreTest, AccuracyOfTheModelJoinsItsEvaluations) {
  testing::run_train(store_, train_, train_result(0.95, "linear"));
  EXPECT_EQ(leaderboard_size(), 0u) << "a model alone is no row";
  testing::run_eval(store_, eval_, result_);
  const std::vector<LeaderboardValue> values = store_.leaderboard();
  ASSERT_EQ(values.size(), 9u);
  const auto accuracy =
      std::find_if(values.begin(), values.end(), [](const LeaderboardValue& v) { return v.group == "id"; });
  ASSERT_NE(accuracy, values.end());
  EXPECT_EQ(accuracy->metric, "accuracy");
  EXPECT_EQ(accuracy->dataset, "test");
  EXPECT_EQ(accuracy->value, 0.95);
  EXPECT_EQ(accuracy->classifier, "linear");
}

TEST_F(StoreTest, EvaluationOfAForeignModelBringsItsOwnAccuracy) {
  CellRecord foreign = eval_;
  foreign.train_key.clear();
  foreign.key = sha256("foreign");
  foreign.seed = 3;
  store_.put_cell(experiment_, foreign, 2);
  EvalResult result = result_;
  result.classifier = "linear";
  result.metrics.push_back({"ood", "id", "test", "accuracy", 0.93});
  testing::run_eval(store_, foreign, result);
  const std::vector<LeaderboardValue> values = store_.leaderboard();
  EXPECT_EQ(values.size(), 9u);
  EXPECT_EQ(values.front().classifier, "linear");
}

TEST_F(StoreTest, FlagsOfModelCellAndRunAreJoined) {
  CellRecord flagged = eval_cell(train_, "mds");
  flagged.flags = "partial";
  store_.put_cell(experiment_, flagged, 2);
  TrainResult trained = train_result(0.9, "linear");
  trained.flags = "count-mismatch";
  testing::run_train(store_, train_, trained);
  EvalResult result = result_;
  result.flags = "partial";
  testing::run_eval(store_, flagged, result);
  EXPECT_EQ(store_.leaderboard().front().flags, "count-mismatch;partial");
}

TEST_F(StoreTest, EverythingOfAResultCanBeShown) {
  TrainResult trained = train_result(0.95, "linear");
  trained.val_accuracy = 0.96;
  trained.curve = {{"train_loss", 0, 2.3}, {"train_loss", 1, 0.1}};
  trained.artifacts = {{"checkpoint", "cells/a/best.safetensors", "5ha", 1234}};
  testing::run_train(store_, train_, trained);
  EvalResult result = result_;
  result.scores = {{"test", "cells/b/test.npy", "f00", 100}, {"near/cousins", "cells/b/near.npy", "ba7", 50}};
  testing::run_eval(store_, eval_, result);

  const CellDetails model = store_.find(train_.key.substr(0, 10)).value();
  EXPECT_EQ(model.record.training, "ce");
  EXPECT_EQ(model.artifacts.at(0).bytes, 1234);
  EXPECT_EQ(model.metrics.at(0).value, 0.95);
  const CellDetails cell = store_.find("ce/net/s0 knn").value();
  EXPECT_EQ(cell.record.train_key, train_.key);
  EXPECT_EQ(cell.metrics.size(), 8u);
  ASSERT_EQ(cell.scores.size(), 2u);
  EXPECT_EQ(cell.scores[0].set, "near/cousins");
  EXPECT_EQ(cell.runs.at(0).context.engine_version, "0.1.0");
  EXPECT_EQ(cell.status.started_utc.size(), 20u);
  EXPECT_FALSE(store_.find("f00f00"));
  EXPECT_FALSE(store_.find(""));
}

TEST_F(StoreTest, AmbiguousPrefixNamesTheCandidates) {
  CellRecord a = train_cell("ce", 5), b = train_cell("ce", 6);
  a.key = "aaaa1";
  b.key = "aaaa2";
  store_.put_cell(experiment_, a, 5);
  store_.put_cell(experiment_, b, 6);
  try {
    (void)store_.find("aaaa");
    FAIL() << "expected an error";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::config);
    EXPECT_NE(std::string(error.what()).find("ce/net/s6"), std::string::npos) << error.what();
  }
}

TEST_F(StoreTest, ExceptionUndoesTheTransaction) {
  EXPECT_THROW(store_.in_transaction([&] {
    store_.put_cell(experiment_, train_cell("ce", 9), 9);
    throw Error(ErrorKind::config, "changed my mind");
  }),
               Error);
  EXPECT_EQ(store_.cells().size(), 2u);
  store_.in_transaction([&] { store_.put_cell(experiment_, train_cell("ce", 9), 9); });
  EXPECT_EQ(store_.cells().size(), 3u);
}

TEST_F(StoreTest, ReadersSeeTheLastStateWhileAWriterIsBusy) {
  const Store reader = Store::open_read_only(file_);
  store_.in_transaction([&] {
    store_.put_cell(experiment_, train_cell("ce", 9), 9);
    EXPECT_EQ(reader.cells().size(), 2u);
    EXPECT_EQ(Store::open_read_only(file_).cells().size(), 2u);
  });
  EXPECT_EQ(reader.cells().size(), 3u);
}

TEST_F(StoreTest, ReadOnlyStoreRefusesToWrite) {
  Store reader = Store::open_read_only(file_);
  EXPECT_THROW(reader.event("info", "", "hello"), Error);
}

TEST_F(StoreTest, CellsOfADeadProcessArePlannedAgain) {
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {  // a connection of its own: SQLite's must not cross a fork
    const bool claimed = [&] { return Store::open(file_).claim(train_.key, context()).has_value(); }();
    _exit(claimed ? 0 : 1);
  }
  int status = 0;
  waitpid(child, &status, 0);
  ASSERT_EQ(status, 0);
  ASSERT_TRUE(store_.claim(eval_.key, context()));  // this process lives
  EXPECT_EQ(store_.state(train_.key), CellState::running);

  EXPECT_EQ(store_.recover_stale(), 1);
  EXPECT_EQ(store_.state(train_.key), CellState::planned);
  EXPECT_EQ(store_.state(eval_.key), CellState::running);
  EXPECT_EQ(store_.find(train_.key)->runs.at(0).state, CellState::crashed);
  EXPECT_EQ(store_.events().back().cell_key, train_.key);
  EXPECT_EQ(store_.recover_stale(), 0);
  EXPECT_TRUE(store_.claim(train_.key, context()));
}

TEST_F(StoreTest, ClaimTakesOverFromADeadProcess) {
  RunContext dead = context();
  dead.owner += "0";  // the same process number, another start time
  const std::int64_t first = store_.claim(eval_.key, dead).value();
  const std::optional<std::int64_t> second = store_.claim(eval_.key, context());
  ASSERT_TRUE(second);
  EXPECT_THROW(store_.finish_eval(first, result_), Error);
  store_.finish_eval(*second, result_);
}

TEST_F(StoreTest, CellOfAnotherHostIsLeftAlone) {
  RunContext elsewhere = context();
  elsewhere.owner = "another-host:1:1";
  ASSERT_TRUE(store_.claim(eval_.key, elsewhere));
  EXPECT_EQ(store_.recover_stale(), 0);
  EXPECT_FALSE(store_.claim(eval_.key, context()));
}

}  // namespace
}  // namespace nearfar
