#pragma once
/// The seam to the world: engine processes, time, and who we are. Tests put fakes here (fakes.h beside them); child.h
/// has the real engine.
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace nearfar {

struct ProcessExit {
  int code = 0;    ///< exit code, if it exited
  int signal = 0;  ///< signal that ended it, else 0
  bool ok() const { return signal == 0 && code == 0; }
};

/// A running engine. One thread owns it; its destructor kills what still runs.
class Process {
 public:
  virtual ~Process() = default;
  virtual int message_fd() const = 0;  ///< for poll(); -1: there is nothing to wait for
  /// Whole lines that have come; never blocks. After the last line, ended() is true.
  virtual std::vector<std::string> read_lines() = 0;
  virtual bool ended() const = 0;
  /// To the whole process group.
  virtual void signal(int number) = 0;
  /// Blocks until the process has ended.
  virtual ProcessExit wait() = 0;
};

struct LaunchRequest {
  std::string verb = {}, job = {};  ///< job: a JSON document
  std::filesystem::path log = {};   ///< gets stdout and stderr, appended; empty: stderr is ours
  int threads = 1;                  ///< becomes OMP_NUM_THREADS
  std::string visible = {};         ///< becomes CUDA_VISIBLE_DEVICES, unless empty
};

class Launcher {
 public:
  virtual ~Launcher() = default;
  /// Error(internal) if the process cannot be made.
  virtual std::unique_ptr<Process> launch(const LaunchRequest& request) = 0;
};

class Clock {
 public:
  virtual ~Clock() = default;
  virtual double seconds() const = 0;  ///< of a clock that never jumps
};
class SteadyClock final : public Clock {
 public:
  double seconds() const override;
};

}  // namespace nearfar
