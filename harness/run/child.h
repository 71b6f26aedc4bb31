#pragma once
/// A child process running nearfar-engine: its job goes in as JSON on stdin, its messages come back as JSON lines on
/// file descriptor 3. docs/engine-protocol.md describes both. The child has its own process group and dies with us
/// (PR_SET_PDEATHSIG), so that a killed parent leaves nothing running. One thread owns a Child.
#include <sys/types.h>

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace nearfar {

struct ChildExit {
  int code = 0;    ///< exit code, if it exited
  int signal = 0;  ///< signal that ended it, else 0
  bool ok() const { return signal == 0 && code == 0; }
};

class Child {
 public:
  /// Starts `nearfar-engine VERB` with `job` on stdin. stdout and stderr are appended to `log`; with an empty `log`,
  /// stderr is ours. `threads` becomes OMP_NUM_THREADS. Error(internal) if the process cannot be made.
  Child(const std::string& verb, const std::string& job, const std::filesystem::path& log, int threads);
  /// Kills the process group if it still runs.
  ~Child();
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  int message_fd() const { return fd_; }  ///< for poll()
  pid_t pid() const { return pid_; }
  /// Whole lines that have come; never blocks. After the last line, ended() is true.
  std::vector<std::string> read_lines();
  bool ended() const { return ended_; }
  /// To the whole process group.
  void signal(int number) const;
  /// Blocks until the process has ended.
  ChildExit wait();

 private:
  pid_t pid_ = -1;
  int fd_ = -1;
  bool ended_ = false;
  std::string pending_;
  std::optional<ChildExit> exit_;
};

/// Runs a job to its end and returns the document of its one "result" message. An "error" message is thrown as the
/// Error it describes; a crash is Error(internal) with the signal.
std::string run_engine(const std::string& verb, const std::string& job, int threads = 1);

}  // namespace nearfar
