#include "store/queue.h"

#include "store/fixture.h"

#include <atomic>
#include <limits>
#include <thread>

namespace nearfar {
namespace {

using testing::context, testing::eval_cell, testing::model_cell, testing::train_cell, testing::train_result;
using Queue = testing::StoreTest;

/// An owner that nobody here can see.
RunContext far_away(std::int64_t lease_seconds) {
  RunContext result = context();
  result.owner = "another-host:1:1";
  result.lease_seconds = lease_seconds;
  return result;
}

TEST_F(Queue, CellGoesFromPlannedToOk) {
  EXPECT_EQ(results_.state(eval_.key), CellState::planned);
  const std::optional<Lease> lease = queue_.claim(eval_.key, context());
  ASSERT_TRUE(lease);
  EXPECT_EQ(lease->key, eval_.key);
  EXPECT_EQ(results_.state(eval_.key), CellState::running);
  queue_.finish(lease->run_uid, result_);
  EXPECT_EQ(results_.state(eval_.key), CellState::ok);
  EXPECT_FALSE(queue_.claim(eval_.key, context())) << "done once";
  EXPECT_EQ(results_.state("no such key"), std::nullopt);
  EXPECT_THROW((void)queue_.claim("no such key", context()), Error);
}

TEST_F(Queue, OnlyOneClaimSucceeds) {
  ASSERT_TRUE(queue_.claim(eval_.key, context()));
  EXPECT_FALSE(queue_.claim(eval_.key, context()));
  Session another = Session::open(file_);
  EXPECT_FALSE(another.queue().claim(eval_.key, context()));
}

TEST_F(Queue, ClaimsFromSeveralConnectionsNeverOverlap) {
  std::vector<CellRecord> cells;
  for (int seed = 1; seed <= 20; ++seed) cells.push_back(train_cell("ce", seed));
  put(cells);
  std::atomic<int> claimed = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      Session mine = Session::open(file_);
      for (const CellRecord& cell : cells) claimed += mine.queue().claim(cell.key, context()) ? 1 : 0;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(claimed, 20);
}

TEST_F(Queue, WorkersOnSeveralConnectionsDoEveryCellOnce) {
  std::vector<CellRecord> cells;
  for (int seed = 1; seed <= 5; ++seed) {
    const CellRecord train = train_cell("ce", seed);
    for (const CellRecord& cell : {train, eval_cell(train, "knn"), eval_cell(train, "msp")}) cells.push_back(cell);
  }
  put(cells);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      Session mine = Session::open(file_);
      while (mine.results().waiting_count() > 0) {
        std::vector<Lease> leases;
        mine.in_transaction([&] {
          if (const auto group = mine.queue().next_ready(experiment_, skip_none)) {
            for (const std::string& key : group->keys) leases.push_back(mine.queue().claim(key, context()).value());
          }
        });
        for (const Lease& lease : leases) mine.queue().finish(lease.run_uid, {});
        if (leases.empty()) std::this_thread::yield();  // the others have what is left, or trains that evals wait for
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const CellStatus& cell : results_.cells("one")) {
    EXPECT_EQ(cell.state, CellState::ok) << cell.label;
    EXPECT_EQ(cell.attempt, 1) << cell.label;
  }
}

TEST_F(Queue, LaterRunsHaveLargerUids) {
  const std::string first = claim(eval_), second = claim(train_);
  EXPECT_LT(first, second);
  queue_.hand_back(first, "");
  EXPECT_LT(second, claim(eval_));
}

TEST_F(Queue, FailedCellMayBeClaimedAgainWithTheNextAttempt) {
  queue_.fail(claim(eval_), CellState::crashed, "signal 11");
  EXPECT_EQ(results_.cells()[1].message, "signal 11");
  EXPECT_EQ(results_.events().back().message, "crashed: signal 11");
  queue_.finish(claim(eval_), result_);
  const CellDetails details = results_.find(eval_.key).value();
  ASSERT_EQ(details.runs.size(), 2u);
  EXPECT_EQ(details.runs[0].state, CellState::crashed);
  EXPECT_EQ(details.runs[0].message, "signal 11");
  EXPECT_EQ(details.runs[1].attempt, 2);
  EXPECT_EQ(details.status.attempt, 2);
  EXPECT_EQ(details.status.message, "");
}

TEST_F(Queue, SupersededRunIsFencedOff) {
  const std::string first = claim(eval_);
  queue_.hand_back(first, "interrupted");
  EXPECT_EQ(results_.state(eval_.key), CellState::planned);
  const std::string second = claim(eval_);
  EXPECT_THROW(queue_.finish(first, result_), LeaseLost);
  EXPECT_THROW(queue_.fail(first, CellState::failed, "late"), LeaseLost);
  EXPECT_THROW(queue_.hand_back(first, "late"), LeaseLost);
  EXPECT_EQ(results_.state(eval_.key), CellState::running);
  EXPECT_EQ(value_count(), 0u);
  queue_.finish(second, result_);
  EXPECT_THROW(queue_.finish(second, result_), LeaseLost) << "ends once";
}

/// True if `work` throws Error(store) that is no LeaseLost.
template <class Work>
bool other_error(Work work) {
  try {
    work();
  } catch (const LeaseLost&) {
    return false;
  } catch (const Error& error) {
    return error.kind() == ErrorKind::store;
  }
  return false;
}

TEST_F(Queue, ValueOutsideOfZeroToOneUndoesTheWholeResult) {
  const std::string run = claim(eval_);
  for (const double bad : {std::numeric_limits<double>::quiet_NaN(), 93.0, -0.1}) {
    Outcome broken = result_;
    broken.metrics.back().value = bad;
    EXPECT_TRUE(other_error([&] { queue_.finish(run, broken); })) << "the lease is not lost";
    EXPECT_EQ(results_.state(eval_.key), CellState::running);
  }
  session_.in_transaction([&] {
    Outcome broken = result_;
    broken.metrics.back().value = 93;
    EXPECT_TRUE(other_error([&] { queue_.finish(run, broken); }));
  });
  EXPECT_EQ(results_.state(eval_.key), CellState::running) << "also where the caller's transaction goes on";
  EXPECT_TRUE(results_.find(eval_.key)->outcome.metrics.empty());
  queue_.fail(run, CellState::nan, "AUROC is NaN");
  EXPECT_EQ(results_.state(eval_.key), CellState::nan);
  EXPECT_TRUE(other_error([&] { queue_.finish("no such run", result_); }));
}

TEST_F(Queue, GroupsComeInPlannedOrderOnceTheirModelIsThere) {
  const CellRecord second = train_cell("ce", 1);
  const std::vector<CellRecord> cells{train_,
                                      second,
                                      model_cell(train_, CellKind::features, "test"),
                                      model_cell(train_, CellKind::accuracy),
                                      eval_,
                                      eval_cell(second, "knn")};
  put(cells);
  auto group = queue_.next_ready(experiment_, skip_none);
  ASSERT_TRUE(group);
  EXPECT_EQ(group->kind, CellKind::train);
  EXPECT_EQ(group->keys, std::vector{train_.key});
  EXPECT_EQ(queue_.next_ready(experiment_, skip_none)->keys, std::vector{train_.key}) << "until it is claimed";
  const std::string first_run = claim(train_);
  group = queue_.next_ready(experiment_, skip_none);
  EXPECT_EQ(group->keys, std::vector{second.key});
  const std::string second_run = claim(second);
  EXPECT_FALSE(queue_.next_ready(experiment_, skip_none)) << "evaluations wait for their models";
  queue_.finish(second_run, train_result());
  group = queue_.next_ready(experiment_, skip_none);
  EXPECT_EQ(group->keys, std::vector{cells[5].key});
  queue_.finish(first_run, train_result());
  group = queue_.next_ready(experiment_, skip_none);
  EXPECT_EQ(group->kind, CellKind::eval);
  EXPECT_EQ(group->model_key, train_.key);
  EXPECT_EQ(group->keys, (std::vector{cells[2].key, cells[3].key, eval_.key})) << "what is earlier comes first again";
  EXPECT_FALSE(queue_.next_ready(77, skip_none));
}

TEST_F(Queue, WhatIsHeldBackIsLeftOutUntilItIsLetGo) {
  const CellRecord second = train_cell("ce", 1);
  put({train_, second, eval_});
  bool hold = true;
  const auto skip = [&](std::string_view key) { return hold && key == train_.key; };
  EXPECT_EQ(queue_.next_ready(experiment_, skip)->keys, std::vector{second.key});
  queue_.finish(claim(second), train_result());
  EXPECT_FALSE(queue_.next_ready(experiment_, skip));
  EXPECT_FALSE(queue_.next_ready(experiment_, skip));
  hold = false;
  EXPECT_EQ(queue_.next_ready(experiment_, skip)->keys, std::vector{train_.key});
  EXPECT_EQ(queue_.next_ready(experiment_, {})->keys, std::vector{train_.key});
}

TEST_F(Queue, ModelsMadeElsewhereAreReadyAtOnce) {
  CellRecord foreign = eval_;
  foreign.train_key.clear();
  foreign.model_key = "elsewhere";
  foreign.key = sha256("foreign");
  put({train_, foreign});
  (void)claim(train_);
  const auto group = queue_.next_ready(experiment_, skip_none);
  EXPECT_EQ(group->model_key, "elsewhere");
  EXPECT_EQ(group->keys, std::vector{foreign.key});
}

TEST_F(Queue, EverythingThatMakesACellReadyIsSeen) {
  const auto next = [&] { return queue_.next_ready(experiment_, skip_none); };
  put({train_});
  std::string run = claim(train_);
  ASSERT_FALSE(next());
  queue_.hand_back(run, "");
  EXPECT_TRUE(next()) << "handed back";
  queue_.fail(claim(train_), CellState::failed, "");
  ASSERT_FALSE(next());
  planning_.plan_again(train_.key, "");
  EXPECT_TRUE(next()) << "planned again";
  (void)queue_.claim(train_.key, far_away(-1)).value();
  ASSERT_FALSE(next());
  ASSERT_EQ(queue_.recover_stale(), 1);
  EXPECT_TRUE(next()) << "recovered";
  run = claim(train_);
  ASSERT_FALSE(next());
  put({train_, train_cell("ce", 1)});
  EXPECT_TRUE(next()) << "planned";
  put({train_});
  ASSERT_FALSE(next());
  Session::open(file_).queue().hand_back(run, "");
  EXPECT_TRUE(next()) << "by another session";
}

TEST_F(Queue, RolledBackClaimsAreReadyAgain) {
  put({train_});
  EXPECT_THROW(session_.in_transaction([&] {
    ASSERT_TRUE(queue_.next_ready(experiment_, skip_none));
    (void)claim(train_);
    EXPECT_FALSE(queue_.next_ready(experiment_, skip_none));
    throw Error(ErrorKind::config, "changed my mind");
  }),
               Error);
  EXPECT_TRUE(queue_.next_ready(experiment_, skip_none));
}

TEST_F(Queue, ClaimTakesOverFromADeadProcess) {
  RunContext dead = context();
  dead.owner += "0";  // the same process number, another start time
  const std::string first = queue_.claim(eval_.key, dead)->run_uid;
  const std::optional<Lease> second = queue_.claim(eval_.key, context());
  ASSERT_TRUE(second) << "its lease has not expired, but it is seen to be dead";
  EXPECT_THROW(queue_.finish(first, result_), LeaseLost);
  queue_.finish(second->run_uid, result_);
}

TEST_F(Queue, WhereNobodyCanSeeTheLeaseDecides) {
  const std::string first = queue_.claim(eval_.key, far_away(120))->run_uid;
  EXPECT_EQ(queue_.recover_stale(), 0);
  EXPECT_FALSE(queue_.claim(eval_.key, context()));
  queue_.hand_back(first, "");

  const std::string late = queue_.claim(eval_.key, far_away(-1))->run_uid;
  const std::string taken = claim(eval_);
  EXPECT_THROW(queue_.finish(late, result_), LeaseLost);
  queue_.hand_back(taken, "");

  const std::string lucky = queue_.claim(eval_.key, far_away(-1))->run_uid;
  queue_.finish(lucky, result_);
  EXPECT_EQ(results_.state(eval_.key), CellState::ok) << "late, but nobody had taken it over";
}

TEST_F(Queue, HeartbeatProlongsTheLeasesOfItsOwner) {
  RunContext other = far_away(-1);
  other.owner = "third-host:1:1";
  ASSERT_TRUE(queue_.claim(train_.key, other));
  ASSERT_TRUE(queue_.claim(eval_.key, far_away(-1)));
  queue_.heartbeat("another-host:1:1", 120);
  queue_.heartbeat("another-host:1:1", -120);  // never shortens
  EXPECT_EQ(queue_.recover_stale(), 1);
  EXPECT_EQ(results_.state(train_.key), CellState::planned);
  EXPECT_EQ(results_.state(eval_.key), CellState::running);
}

TEST_F(Queue, CountsWhatRunsInOneExperiment) {
  const std::int64_t other = planning_.put_experiment(testing::sample_experiment("two"));
  testing::put(session_, other, {train_cell("ce", 7)});
  EXPECT_EQ(queue_.running_count(experiment_), 0);
  const std::string run = claim(train_);
  ASSERT_TRUE(queue_.claim(train_cell("ce", 7).key, context()));
  EXPECT_EQ(queue_.running_count(experiment_), 1);
  EXPECT_EQ(queue_.running_count(other), 1);
  queue_.finish(run, train_result());
  EXPECT_EQ(queue_.running_count(experiment_), 0);
}

TEST_F(Queue, LivingOwnerKeepsItsCellWhenItsLeaseHasExpired) {
  RunContext slow = context();
  slow.lease_seconds = -1;
  ASSERT_TRUE(queue_.claim(eval_.key, slow));
  EXPECT_EQ(queue_.recover_stale(), 0);
  EXPECT_FALSE(queue_.claim(eval_.key, context()));
}

}  // namespace
}  // namespace nearfar
