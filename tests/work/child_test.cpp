#include "work/child.h"

#include "base/error.h"
#include "base/files.h"
#include "work/engine_client.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/stat.h>

#include <csignal>
#include <cstdlib>

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
  TempDir folder_;
  ErrorKind kind_{};
};

TEST_F(ChildProcess, GetsVerbJobAndThreadsAndReturnsItsResult) {
  engine(R"(read job; echo "{\"type\":\"result\",\"document\":[\"$1\",$job,$OMP_NUM_THREADS]}" >&3)");
  EXPECT_EQ(ask_engine("inspect", wire::Json{{"a", 1}}, 3).dump(), R"(["inspect",{"a":1},3])");
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
  std::vector<std::string> lines;
  while (!child.ended()) {
    pollfd wait_for{child.message_fd(), POLLIN, 0};
    ::poll(&wait_for, 1, -1);
    for (auto& line : child.read_lines()) lines.push_back(line);
  }
  EXPECT_TRUE(child.wait().ok());
  EXPECT_EQ(lines, (std::vector<std::string>{R"({"type":"a"})", R"({"type":"b"})"}));
  EXPECT_EQ(read_file(folder_.path() / "sub/log"), "hello\ntrouble\n");
}

TEST_F(ChildProcess, DestructionEndsItWithItsChildren) {
  engine("sleep 1000 & echo $! > " + (folder_.path() / "pid").string() + R"(; echo '{}' >&3; wait)");
  {
    Child child({.verb = "verb", .job = "", .log = folder_.path() / "log", .threads = 1});
    pollfd wait_for{child.message_fd(), POLLIN, 0};
    ::poll(&wait_for, 1, -1);
  }
  const pid_t grandchild = std::stoi(read_file(folder_.path() / "pid"));
  // Killed; it is gone or waits as a zombie for init, so it takes no more signals that matter. /proc tells.
  for (int i = 0; i < 1000 && std::filesystem::exists("/proc/" + std::to_string(grandchild)); ++i)
    ::poll(nullptr, 0, 5);
  std::string state = "gone";
  if (std::filesystem::exists("/proc/" + std::to_string(grandchild)))
    state = read_file("/proc/" + std::to_string(grandchild) + "/stat");
  EXPECT_TRUE(state == "gone" || state.find(") Z ") != std::string::npos) << state;
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
