/// What follows from what an engine says, from how it ends, and from time that passes. No process, no clock, no
/// database.
#include "work/task.h"

#include <gtest/gtest.h>

#include <csignal>

namespace nearfar {
namespace {

Task group(TaskOptions options = {}) {
  return Task({{"pass", "m features of test", CellKind::features},
               {"acc", "m accuracy", CellKind::accuracy},
               {"knn", "m knn", CellKind::eval},
               {"odin", "m odin", CellKind::eval}},
              std::move(options), 0);
}

/// "fail knn timeout", "back acc again", "signal 9", …: one word list an effect, in key order where all are of one
/// kind.
std::vector<std::string> text(const Effects& effects) {
  std::vector<std::string> lines;
  for (const Effect& effect : effects) {
    if (const auto* done = std::get_if<Done>(&effect)) lines.push_back("done " + done->key);
    if (std::get_if<Looked>(&effect)) lines.emplace_back("looked");
    if (const auto* failed = std::get_if<FailCell>(&effect))
      lines.push_back("fail " + failed->key + " " + std::string(state_name(failed->state)));
    if (const auto* back = std::get_if<HandBack>(&effect))
      lines.push_back("back " + back->key + (back->again ? " again" : ""));
    if (const auto* signal = std::get_if<SendSignal>(&effect))
      lines.push_back("signal " + std::to_string(signal->number));
    if (std::get_if<StoppedOutside>(&effect)) lines.emplace_back("stopped outside");
  }
  return lines;
}
using Lines = std::vector<std::string>;

TEST(Task, ACellIsDoneOnce) {
  Task task = group();
  EXPECT_EQ(text(task.on(wire::Scored{.cell = "knn"}, 1)), Lines{"done knn"});
  EXPECT_EQ(text(task.on(wire::Scored{.cell = "knn"}, 2)), Lines{});
  EXPECT_EQ(text(task.on(wire::Scored{.cell = "stranger"}, 2)), Lines{});
  EXPECT_FALSE(task.owes("knn"));
}

TEST(Task, ALookForMethodsThatLookInsideIsNoCells) {
  Task task = group();
  EXPECT_EQ(text(task.on(wire::Passed{.cell = "", .set = "test"}, 1)), Lines{"looked"});
  EXPECT_EQ(text(task.on(wire::Passed{.cell = "pass", .set = "test"}, 1)), Lines{"done pass"});
}

TEST(Task, ACrashIsTheCellsThatWasWorkedFor) {
  Task task = group();
  task.on(wire::Begin{{"odin"}}, 1);
  EXPECT_EQ(text(task.on_exit({.code = 0, .signal = SIGSEGV}, 2)),
            (Lines{"back acc again", "back knn again", "fail odin crashed", "back pass again"}));
}

TEST(Task, ACrashWhileItWorkedForNobodyIsEverybodys) {
  Task task = group();
  task.on(wire::Begin{{}}, 1);
  for (const std::string& line : text(task.on_exit({.code = 0, .signal = SIGSEGV}, 2)))
    EXPECT_EQ(line.substr(0, 4), "fail");
}

TEST(Task, ACrashAfterACellWasDoneSparesTheRest) {
  Task task = group();
  task.on(wire::Begin{{"knn"}}, 1);
  task.on(wire::Scored{.cell = "knn"}, 2);
  EXPECT_EQ(text(task.on_exit({.code = 1, .signal = 0}, 2)),
            (Lines{"back acc again", "back odin again", "back pass again"}));
}

TEST(Task, TimeOfACellAddsUpOverAllItsStretches) {
  // E7: a method that looks inside is begun again for every batch.
  Task task = group({.timeout_seconds = 10});
  for (int batch = 0; batch < 9; ++batch) {
    task.on(wire::Begin{{"odin"}}, 2 * batch);
    task.on(wire::Begin{{"pass"}}, 2 * batch + 1.0);
    EXPECT_EQ(text(task.on_time(2 * batch + 1.1)), Lines{}) << batch;
  }
  task.on(wire::Begin{{"odin"}}, 20);
  EXPECT_EQ(text(task.on_time(21.5)), (Lines{"signal 9"}));
  EXPECT_EQ(text(task.on_exit({.code = 0, .signal = SIGKILL}, 22)),
            (Lines{"back acc again", "back knn again", "fail odin timeout", "back pass again"}));
}

TEST(Task, ALongPassTimesOutAlone) {
  // E17: not every cell of the group.
  Task task = group({.timeout_seconds = 10});
  task.on(wire::Begin{{"pass"}}, 0);
  EXPECT_EQ(text(task.on_time(10)), (Lines{"signal 9"}));
  EXPECT_EQ(text(task.on_time(11)), Lines{}) << "killed once";
  EXPECT_EQ(text(task.on_exit({.code = 0, .signal = SIGKILL}, 12)),
            (Lines{"back acc again", "back knn again", "back odin again", "fail pass timeout"}));
}

TEST(Task, WithoutALimitNothingTimesOut) {
  Task task = group();
  task.on(wire::Begin{{"pass"}}, 0);
  EXPECT_EQ(text(task.on_time(1e9)), Lines{});
}

TEST(Task, StopAsksFirstAndKillsAfterTheGrace) {
  // E5: an engine that ignores SIGTERM does not make the parent unstoppable.
  Task task = group({.grace_seconds = 5});
  EXPECT_EQ(text(task.stop(100, false)), (Lines{"signal 15"}));
  EXPECT_EQ(text(task.stop(101, false)), Lines{});
  EXPECT_EQ(text(task.on_time(104.9)), Lines{});
  EXPECT_EQ(text(task.on_time(105)), (Lines{"signal 9"}));
  EXPECT_EQ(text(task.on_exit({.code = 0, .signal = SIGKILL}, 106)),
            (Lines{"back acc", "back knn", "back odin", "back pass"}));
}

TEST(Task, TheSecondRequestKillsAtOnce) {
  Task task = group({.grace_seconds = 5});
  task.stop(100, false);
  EXPECT_EQ(text(task.stop(100.1, true)), (Lines{"signal 9"}));
}

TEST(Task, AnEngineStoppedFromOutsideHandsItsOwnCellsBack) {
  // E6: nothing else is interrupted.
  Task task = group();
  EXPECT_EQ(text(task.on(wire::JobError{"interrupted", "failed", "stopped between image sets"}, 1)), Lines{});
  EXPECT_EQ(text(task.on_exit({.code = 2, .signal = 0}, 2)),
            (Lines{"stopped outside", "back acc", "back knn", "back odin", "back pass"}));
}

TEST(Task, AJobErrorIsEveryCells) {
  Task task({{"t", "ce/s0", CellKind::train}}, {}, 0);
  task.on(wire::JobError{"plugin", "nan", "the loss is nan"}, 1);
  const Effects effects = task.on_exit({.code = 7, .signal = 0}, 2);
  EXPECT_EQ(text(effects), (Lines{"fail t nan"}));
  EXPECT_EQ(std::get<FailCell>(effects[0]).message, "the loss is nan");
}

TEST(Task, WhatNeedsABrokenSetIsNotTriedAndNotRepeated) {
  Task task = group();
  EXPECT_EQ(text(task.on(wire::Failed{"pass", "failed", "data", "no image"}, 1)), (Lines{"fail pass failed"}));
  EXPECT_EQ(text(task.on(wire::Skipped{"knn", "the features of 'test' failed"}, 1)), (Lines{"back knn"}));
}

TEST(Task, AChildThatSaysNothingForTooLongHangs) {
  Task task = group({.hung_seconds = 10});
  task.on(wire::Begin{{"knn"}}, 5);
  EXPECT_EQ(text(task.on_time(14.9)), Lines{});
  EXPECT_EQ(text(task.on_time(15)), (Lines{"signal 9"}));
  EXPECT_EQ(text(task.on_exit({.code = 0, .signal = SIGKILL}, 16)),
            (Lines{"back acc again", "fail knn hung", "back odin again", "back pass again"}));
}

TEST(Task, ASlowCellThatStillReportsDoesNotHang) {
  Task task = group({.hung_seconds = 10});
  task.on(wire::Begin{{"knn"}}, 0);
  for (int second = 9; second < 900; second += 9) {
    task.on(wire::Alive{}, second);
    EXPECT_EQ(text(task.on_time(second + 8.9)), Lines{}) << second;
  }
}

TEST(Task, MemoryIsToldFromACrashByEvidence) {
  const auto end = [](const ProcessExit& exit) {
    Task task({{"t", "ce/s0", CellKind::train}},
              {.memory_limit = std::int64_t{4} << 30, .machine_memory = std::int64_t{8} << 30}, 0);
    return std::get<FailCell>(task.on_exit(exit, 1).at(0));
  };
  constexpr std::int64_t kGiB = std::int64_t{1} << 30;
  const FailCell limit = end({.signal = SIGKILL, .killed_for = KilledFor::memory, .peak_bytes = 5 * kGiB});
  EXPECT_EQ(limit.state, CellState::oom);
  EXPECT_NE(limit.message.find("run.memory_limit = 4 GiB (it held 5 GiB at most)"), std::string::npos) << limit.message;
  EXPECT_EQ(end({.signal = SIGKILL, .oom_killed = true}).state, CellState::oom) << "the kernel counted it";
  EXPECT_EQ(end({.signal = SIGKILL, .peak_bytes = 15 * kGiB / 2}).state, CellState::oom) << "nearly all there is";
  EXPECT_EQ(end({.signal = SIGKILL, .peak_bytes = 2 * kGiB}).state, CellState::crashed) << "somebody killed it";
  EXPECT_EQ(end({.signal = SIGSEGV, .peak_bytes = 15 * kGiB / 2, .oom_killed = true}).state, CellState::crashed);
}

TEST(Task, AProcessThatMultipliesIsACrash) {
  Task task = group();
  task.on(wire::Begin{{"knn"}}, 1);
  const Effects effects = task.on_exit({.signal = SIGKILL, .killed_for = KilledFor::processes}, 2);
  EXPECT_EQ(text(effects).at(1), "fail knn crashed");
  EXPECT_NE(std::get<FailCell>(effects[1]).message.find("more processes"), std::string::npos);
}

TEST(Task, LastWordsAreTheCellsThatWasWorkedFor) {
  Task task = group();
  task.on(wire::Begin{{"knn"}}, 1);
  task.on(wire::Dying{"oom", "an exception that nothing caught: std::bad_alloc"}, 2);
  const Effects effects = task.on_exit({.signal = SIGABRT}, 3);
  EXPECT_EQ(text(effects), (Lines{"back acc again", "fail knn oom", "back odin again", "back pass again"}));
  EXPECT_NE(std::get<FailCell>(effects[1]).message.find("std::bad_alloc"), std::string::npos);
}

TEST(Task, AnEndWithoutAWordIsACrashAndNamesTheExitCodeAndTheLog) {
  Task task({{"t", "ce/s0", CellKind::train}}, {.log = "out/train.log"}, 0);
  const Effects effects = task.on_exit({.code = 5, .signal = 0}, 2);
  EXPECT_EQ(std::get<FailCell>(effects.at(0)).state, CellState::crashed);
  EXPECT_NE(std::get<FailCell>(effects.at(0)).message.find("exit code 5"), std::string::npos);
  EXPECT_NE(std::get<FailCell>(effects.at(0)).message.find("out/train.log"), std::string::npos);
}

}  // namespace
}  // namespace nearfar
