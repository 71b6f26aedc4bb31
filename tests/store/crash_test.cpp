/// What is left of a database whose writer is killed, or whose disk is full.
#include "store/fixture.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <random>

namespace nearfar {
namespace {

using testing::context, testing::train_cell;
using Crash = testing::StoreTest;

TEST_F(Crash, CellsOfADeadProcessArePlannedAgain) {
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {  // a connection of its own: SQLite's must not cross a fork
    const bool claimed = [&] { return Session::open(file_).queue().claim(train_.key, context()).has_value(); }();
    _exit(claimed ? 0 : 1);
  }
  int status = 0;
  waitpid(child, &status, 0);
  ASSERT_EQ(status, 0);
  ASSERT_TRUE(queue_.claim(eval_.key, context()));  // this process lives
  EXPECT_EQ(results_.state(train_.key), CellState::running);

  EXPECT_EQ(queue_.recover_stale(), 1);
  EXPECT_EQ(results_.state(train_.key), CellState::planned);
  EXPECT_EQ(results_.state(eval_.key), CellState::running);
  EXPECT_EQ(results_.find(train_.key)->runs.at(0).state, CellState::crashed);
  EXPECT_EQ(results_.events().back().cell_key, train_.key);
  EXPECT_EQ(queue_.recover_stale(), 0);
  EXPECT_TRUE(queue_.claim(train_.key, context()));
}

/// Works off what is ready, a byte to `done` after each step, until it is killed.
[[noreturn]] void work(const std::filesystem::path& file, std::int64_t experiment, const Outcome& outcome, int done) {
  Session session = Session::open(file);
  const auto step = [&] { (void)!::write(done, ".", 1); };
  for (;;) {
    session.queue().recover_stale();
    step();
    const auto group = session.queue().next_ready(experiment, {});
    if (!group) _exit(0);
    const auto lease = session.queue().claim(group->keys.front(), context());
    step();
    session.queue().finish(lease->run_uid, outcome);
    step();
  }
}

TEST_F(Crash, KilledAtAnyMomentItLosesOnlyWhatWasNotFinished) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::minstd_rand random(seed);
  std::vector<CellRecord> cells;
  for (int i = 0; i < 40; ++i) cells.push_back(train_cell("ce", i));
  put(cells);
  std::int64_t finished_before = 0;
  for (bool all_done = false; !all_done;) {
    std::array<int, 2> pipe{};
    ASSERT_EQ(::pipe(pipe.data()), 0);
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) work(file_, experiment_, result_, pipe[1]);
    ::close(pipe[1]);
    char byte = 0;
    for (auto steps = random() % 20; steps > 0 && ::read(pipe[0], &byte, 1) == 1; --steps) {
    }
    for (auto spins = random() % 300'000; spins > 0; --spins) asm volatile("");  // somewhere within the next step
    kill(child, SIGKILL);
    int status = 0;
    waitpid(child, &status, 0);
    ::close(pipe[0]);
    all_done = WIFEXITED(status);

    if (!testing::on_server()) {
      ASSERT_EQ(database_.execute("PRAGMA integrity_check"), "ok");
    }
    std::int64_t finished = 0;
    for (const CellCount& count : results_.counts("one")) finished += count.state == CellState::ok ? count.count : 0;
    EXPECT_GE(finished, finished_before) << "what is finished stays";
    EXPECT_LE(results_.cells("one", {CellState::running}).size(), 1u);
    finished_before = finished;
  }
  EXPECT_EQ(finished_before, 40);
  for (const CellRecord& cell : cells) {
    const CellDetails details = results_.find(cell.key).value();
    EXPECT_EQ(details.outcome.metrics.size(), result_.metrics.size());
    for (std::size_t i = 0; i + 1 < details.runs.size(); ++i) EXPECT_EQ(details.runs[i].state, CellState::crashed);
  }
}

TEST_F(Crash, FullDiskIsToldAndLosesNothing) {
  if (testing::on_server()) GTEST_SKIP() << "the disk is the server's";
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {  // the limit holds for this process alone
    int result = 1;
    try {
      Session session = Session::open(file_);
      const std::string run = session.queue().claim(eval_.key, context())->run_uid;
      Outcome large = result_;
      for (int step = 0; step < 20'000; ++step) large.curve.push_back({"train_loss", step, 0.5});
      signal(SIGXFSZ, SIG_IGN);
      const rlimit limit{.rlim_cur = 200'000, .rlim_max = 200'000};
      setrlimit(RLIMIT_FSIZE, &limit);
      try {
        session.queue().finish(run, large);
      } catch (const LeaseLost&) {
        result = 2;
      } catch (const Error& error) {
        result = error.kind() == ErrorKind::store ? 0 : 3;
      }
    } catch (...) {
      result = 4;
    }
    _exit(result);
  }
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_EQ(WEXITSTATUS(status), 0);
  EXPECT_EQ(results_.state(eval_.key), CellState::running);
  EXPECT_EQ(value_count(), 0u);
  EXPECT_EQ(queue_.recover_stale(), 1);
  testing::run(session_, eval_, result_);
  EXPECT_EQ(value_count(), 8u);
}

}  // namespace
}  // namespace nearfar
