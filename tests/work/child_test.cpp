#include "work/child.h"

#include "base/error.h"
#include "base/files.h"
#include "work/engine_client.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <iterator>

namespace nearfar {
namespace {

/// A shell script in place of the engine: what the parent does with each kind of end.
class ChildProcess : public ::testing::Test {
 protected:
  void engine(const std::string& script) {
    const auto file = folder_.path() / "engine";
    write_file_atomic(file, "#!/bin/sh\n" + script);
    ::chmod(file.c_str(), 0755);
    ::setenv("NEARFAR_ENGINE", file.c_str(), 1);
  }
  void TearDown() override { ::unsetenv("NEARFAR_ENGINE"); }
  std::string failure() {
    try {
      ask_engine("verb", wire::Json::object());
      return "no error";
    } catch (const Error& error) {
      kind_ = error.kind();
      return error.what();
    }
  }
  static std::vector<std::string> lines_of(Child& child) {
    std::vector<std::string> lines;
    while (!child.ended()) {
      pollfd wait_for{child.message_fd(), POLLIN, 0};
      ::poll(&wait_for, 1, -1);
      for (auto& line : child.read_lines()) lines.push_back(line);
    }
    return lines;
  }
  static void first_line(Child& child) {
    while (child.read_lines().empty()) {
      pollfd wait_for{child.message_fd(), POLLIN, 0};
      ::poll(&wait_for, 1, -1);
    }
  }
  /// Of a process whose number a script writes into this file.
  pid_t pid_in(const std::string& name) {
    const auto file = folder_.path() / name;
    for (int i = 0; i < 2000 && (!std::filesystem::exists(file) || std::filesystem::file_size(file) < 2); ++i)
      ::poll(nullptr, 0, 5);
    return std::stoi(read_file(file));
  }
  /// "gone" also of a zombie that init has not waited for; given some time.
  static std::string state_of(pid_t process) {
    const std::string stat = "/proc/" + std::to_string(process) + "/stat";
    for (int i = 0; i < 1000; ++i) {
      std::ifstream stream(stat);
      const std::string text{std::istreambuf_iterator<char>(stream), {}};
      if (text.empty() || text.find(") Z ") != std::string::npos) return "gone";
      ::poll(nullptr, 0, 5);
    }
    return "alive";
  }
  TempDir folder_;
  ErrorKind kind_{};
};

TEST_F(ChildProcess, GetsVerbJobAndThreadsAndReturnsItsResult) {
  engine(R"(read job; echo "{\"type\":\"result\",\"document\":[\"$1\",$job,$OMP_NUM_THREADS]}" >&3)");
  EXPECT_EQ(ask_engine("inspect", wire::Json{{"a", 1}}, {.threads = 3}).dump(), R"(["inspect",{"a":1},3])");
}

TEST_F(ChildProcess, ErrorMessagesKeepTheirKind) {
  engine(R"(echo '{"type":"error","kind":"data","state":"failed","message":"no such image"}' >&3; exit 6)");
  EXPECT_EQ(failure(), "no such image");
  EXPECT_EQ(kind_, ErrorKind::data);
}

TEST_F(ChildProcess, ACrashIsToldWithItsSignal) {
  engine("kill -SEGV $$");
  EXPECT_NE(failure().find("signal 11"), std::string::npos);
  EXPECT_EQ(kind_, ErrorKind::internal);
}

TEST_F(ChildProcess, AnEndWithoutResultIsAnError) {
  engine("exit 3");
  EXPECT_NE(failure().find("exit code 3"), std::string::npos);
}

TEST_F(ChildProcess, LinesArriveWholeAndOutputGoesToTheLog) {
  engine(R"(printf '{"type":' >&3; printf '"a"}\n{"type":"b"}\n' >&3; echo hello; echo trouble >&2)");
  Child child({.verb = "verb", .job = "", .log = folder_.path() / "sub/log", .threads = 1});
  const std::vector<std::string> lines = lines_of(child);
  EXPECT_TRUE(child.wait().ok());
  EXPECT_EQ(lines, (std::vector<std::string>{R"({"type":"a"})", R"({"type":"b"})"}));
  EXPECT_EQ(read_file(folder_.path() / "sub/log"), "hello\ntrouble\n");
}

TEST_F(ChildProcess, DestructionEndsItWithItsChildren) {
  engine("sleep 1000 & echo $! > " + (folder_.path() / "pid").string() + R"(; echo '{}' >&3; wait)");
  {
    Child child({.verb = "verb", .job = "", .log = folder_.path() / "log", .threads = 1});
    first_line(child);
  }
  EXPECT_EQ(state_of(pid_in("pid")), "gone");
}

TEST_F(ChildProcess, WhatItHasStartedDoesNotOutliveIt) {
  // Both hold descriptor 3 open, so the end of the messages is no sign; the second has left group and session.
  engine("sleep 1000 & echo $! > " + (folder_.path() / "group").string() + "; setsid sh -c 'echo $$ > " +
         (folder_.path() / "session").string() + "; exec sleep 1000' & while [ ! -s " +
         (folder_.path() / "session").string() + " ]; do sleep 0.01; done; kill -SEGV $$");
  Child child({.verb = "verb", .job = "", .log = folder_.path() / "log", .threads = 1});
  lines_of(child);
  EXPECT_EQ(child.wait().signal, SIGSEGV);
  EXPECT_EQ(state_of(pid_in("group")), "gone");
  EXPECT_EQ(state_of(pid_in("session")), "gone");
}

TEST_F(ChildProcess, NothingOutlivesAParentThatIsKilled) {
  engine("setsid sh -c 'echo $$ > " + (folder_.path() / "session").string() +
         "; exec sleep 1000' & sleep 1000 & echo $! > " + (folder_.path() / "group").string() + "; echo $$ > " +
         (folder_.path() / "leader").string() + "; while true; do sleep 0.1; done");
  const pid_t parent = ::fork();
  if (parent == 0) {
    Child child({.verb = "verb", .job = "", .log = folder_.path() / "log", .threads = 1});
    for (;;) ::pause();
  }
  const pid_t engine = pid_in("leader"), group = pid_in("group"), session = pid_in("session");
  ::kill(parent, SIGKILL);
  ::waitpid(parent, nullptr, 0);
  EXPECT_EQ(state_of(engine), "gone");
  EXPECT_EQ(state_of(group), "gone");
  EXPECT_EQ(state_of(session), "gone");
}

TEST_F(ChildProcess, AKilledKeeperTakesItsEngineAlong) {
  engine("echo '{}' >&3; while true; do sleep 0.1; done");
  Child child({.verb = "verb", .job = "", .log = folder_.path() / "log", .threads = 1});
  first_line(child);
  ::kill(child.keeper(), SIGKILL);
  lines_of(child);
  EXPECT_EQ(child.wait().signal, SIGKILL);
  EXPECT_EQ(state_of(child.pid()), "gone");
}

TEST_F(ChildProcess, SignalsReachTheWholeGroup) {
  engine(
      "trap 'wait; echo stopped >&3; exit 2' TERM; sh -c 'trap \"echo told >&3; exit\" TERM; echo {} >&3; while true; "
      "do "
      "sleep 0.05; done' & while true; do sleep 0.05; done");
  Child child({.verb = "verb", .job = "", .log = folder_.path() / "log", .threads = 1});
  first_line(child);
  child.signal(SIGTERM);
  std::vector<std::string> lines = lines_of(child);
  std::sort(lines.begin(), lines.end());
  EXPECT_EQ(lines, (std::vector<std::string>{"stopped", "told"}));
  EXPECT_EQ(child.wait().code, 2);
}

TEST_F(ChildProcess, AForkBombIsCapped) {
  engine("bomb() { bomb | bomb & }; bomb; while true; do sleep 0.1; done");
  Child child({.verb = "verb", .job = "", .log = folder_.path() / "log", .threads = 1, .processes = 30});
  lines_of(child);
  const ProcessExit exit = child.wait();
  EXPECT_EQ(exit.signal, SIGKILL);
  EXPECT_EQ(exit.killed_for, KilledFor::processes);
}

TEST_F(ChildProcess, MoreMemoryThanItMayIsKilledAndTold) {
  // What it has started counts, too.
  engine("tail /dev/zero & wait");
  constexpr std::int64_t kLimit = 64 << 20;
  Child child({.verb = "verb", .job = "", .log = folder_.path() / "log", .threads = 1, .memory_bytes = kLimit});
  lines_of(child);
  const ProcessExit exit = child.wait();
  EXPECT_EQ(exit.signal, SIGKILL);
  EXPECT_EQ(exit.killed_for, KilledFor::memory);
  EXPECT_GT(exit.peak_bytes, kLimit);
}

TEST_F(ChildProcess, PrivateMemoryBeyondItsLimitIsNotGiven) {
  engine("tail /dev/zero; echo $? >&3");
  Child child({.verb = "verb", .job = "", .log = folder_.path() / "log", .threads = 1, .data_bytes = 64 << 20});
  EXPECT_EQ(lines_of(child), std::vector<std::string>{"1"}) << read_file(folder_.path() / "log");
  EXPECT_EQ(child.wait().killed_for, KilledFor::nothing);
}

TEST_F(ChildProcess, WritesNoCoreAndTellsItsPeak) {
  engine("ulimit -c >&3");
  Child child({.verb = "verb", .job = "", .log = folder_.path() / "log", .threads = 1});
  EXPECT_EQ(lines_of(child), std::vector<std::string>{"0"});
  EXPECT_GT(child.wait().peak_bytes, 100'000);
}

TEST_F(ChildProcess, AFailedLaunchLeavesNoDescriptorOpen) {
  // E20: the log cannot be opened, so the process is never made.
  const auto open_descriptors = [] {
    return std::distance(std::filesystem::directory_iterator("/proc/self/fd"), std::filesystem::directory_iterator{});
  };
  write_file_atomic(folder_.path() / "file", "");
  const auto before = open_descriptors();
  for (int i = 0; i < 3; ++i) {
    EXPECT_ANY_THROW(Child({.verb = "verb", .job = "{}", .log = folder_.path() / "file/log", .threads = 1}));
  }
  EXPECT_EQ(open_descriptors(), before);
}

}  // namespace
}  // namespace nearfar
