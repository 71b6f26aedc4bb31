#pragma once
/// Being asked to stop: Ctrl-C (SIGINT), SIGTERM, and SIGUSR2, which batch systems send some time before they end a
/// job.
namespace nearfar {

/// While it lives these signals do not end the process: they are counted, and whoever does the work asks count() at a
/// place where it can stop. The earlier handlers come back with the destructor. One at a time; count() is safe from any
/// thread. A system call that waits (poll, sleep) ends early with EINTR.
class StopSignals {
 public:
  enum class Second {
    counts,        ///< as the first: the owner decides (a supervisor: first ask the children, then kill them)
    ends_process,  ///< at once, by the signal's default: for work that survives it
  };
  explicit StopSignals(Second second = Second::counts);
  ~StopSignals();
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;

  /// How often a stop was asked for since construction.
  int count() const;
};

}  // namespace nearfar
