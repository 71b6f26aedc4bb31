#pragma once
/// The real engine: a child process running nearfar-engine. Its job goes in as JSON on stdin, its messages come back as
/// JSON lines on file descriptor 3 (docs/engine-protocol.md). It has its own process group and dies with us
/// (PR_SET_PDEATHSIG, which looks at the thread that made the child: launch from the main thread only), so that a
/// killed parent leaves nothing running.
#include "work/process.h"

#include <sys/types.h>

#include <optional>

namespace nearfar {

class Child final : public Process {
 public:
  /// Error(internal) if the process cannot be made; no descriptor is left open then.
  explicit Child(const LaunchRequest& request);
  ~Child() override;
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  int message_fd() const override { return fd_; }
  std::vector<std::string> read_lines() override;
  bool ended() const override { return ended_; }
  void signal(int number) override;
  ProcessExit wait() override;
  pid_t pid() const { return pid_; }

 private:
  pid_t pid_ = -1;
  int fd_ = -1;
  bool ended_ = false;
  std::string pending_;
  std::optional<ProcessExit> exit_;
};

class EngineLauncher final : public Launcher {
 public:
  std::unique_ptr<Process> launch(const LaunchRequest& request) override { return std::make_unique<Child>(request); }
};

}  // namespace nearfar
