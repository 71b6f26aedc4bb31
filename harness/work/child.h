#pragma once
/// The real engine: a child process running nearfar-engine. Its job goes in as JSON on stdin, its messages come back as
/// JSON lines on file descriptor 3 (docs/engine-protocol.md). Between it and us a keeper (keeper.h) sees to it that
/// nothing it starts outlives it or us, and holds it to its limits. May be made and used on any thread, by one at a
/// time.
#include "base/descriptor.h"
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

  int message_fd() const override { return fd_.get(); }
  std::vector<std::string> read_lines() override;
  bool ended() const override { return ended_; }
  void signal(int number) override;
  ProcessExit wait() override;
  pid_t pid() const { return engine_; }     ///< of the engine, and of its process group
  pid_t keeper() const { return keeper_; }  ///< of the process that looks after it

 private:
  pid_t keeper_ = -1, engine_ = -1;
  Descriptor fd_, socket_;
  std::int64_t oom_kills_ = 0;  ///< of our memory cgroup when it was started
  bool ended_ = false;
  std::string pending_;
  std::optional<ProcessExit> exit_;
};

class EngineLauncher final : public Launcher {
 public:
  std::unique_ptr<Process> launch(const LaunchRequest& request) override { return std::make_unique<Child>(request); }
};

}  // namespace nearfar
