#pragma once
/// The seam to the world: engine processes, time, and who we are. Tests put fakes here (fakes.h beside them); child.h
/// has the real engine.
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace nearfar {

/// What a process was killed for by its keeper (keeper.h).
enum class KilledFor : int {
  nothing,
  memory,     ///< it and what it had started used more than it may
  processes,  ///< it had started more processes than it may
};

struct ProcessExit {
  int code = 0;    ///< exit code, if it exited
  int signal = 0;  ///< signal that ended it, else 0
  KilledFor killed_for = KilledFor::nothing;
  std::int64_t peak_bytes = 0;  ///< resident memory at most; 0 = not known
  bool oom_killed = false;      ///< the kernel has killed a process of our memory cgroup meanwhile
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
  /// Blocks until the process has ended, with everything it has started. One that is not about to is killed after ten
  /// seconds.
  virtual ProcessExit wait() = 0;
};

struct LaunchRequest {
  std::string verb = {}, job = {};  ///< job: a JSON document
  std::filesystem::path log = {};   ///< gets stdout and stderr, appended; empty: stderr is ours
  int threads = 1;                  ///< becomes OMP_NUM_THREADS
  std::string visible = {};         ///< becomes CUDA_VISIBLE_DEVICES, unless empty
  /// Memory that it and what it starts may use: more, and it is killed. 0 = as much as there is.
  std::int64_t memory_bytes = 0;
  /// Private memory that the process may ask for (RLIMIT_DATA): more, and an allocation fails, which it may survive.
  /// 0 = as much as there is. Drivers of devices ask for far more than they use.
  std::int64_t data_bytes = 0;
  int processes = 256;  ///< that it may have started at a time: a fork bomb is killed
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
