#pragma once
/// A function in a process of its own, forked from this one: what it does to memory, threads, files or itself is gone
/// with it. Fork before this process has threads: a child has none but the one that forked. One thread.
#include "base/descriptor.h"
#include "base/stopwatch.h"

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <string>

namespace nearfar {

struct IsolateLimits {
  double seconds = 30;
  std::int64_t bytes = std::int64_t{4} << 30;  ///< of private memory, and resident; more than this process has
};

/// How the process ended.
struct IsolateEnd {
  std::string report = {};  ///< what the function returned; empty where it did not get so far
  std::string output = {};  ///< the end of what was printed
  int code = 0;             ///< exit code
  int signal = 0;           ///< that ended it, else 0
  bool late = false;        ///< killed after its time
  bool large = false;       ///< killed for its memory
  double seconds = 0;
};

class Isolate {
 public:
  /// Starts it. The child's standard output and error are kept, its other descriptors above 2 lead nowhere for a parent
  /// of ours. `exits`: after `body` has returned it ends by exit(), with all that is done then; else at once.
  /// Error(internal) where there can be no process.
  Isolate(const std::function<std::string()>& body, IsolateLimits limits, bool exits);
  ~Isolate();
  Isolate(Isolate&&) = delete;

  /// Readable when the process has ended: for poll().
  int descriptor() const { return process_.get(); }
  /// Kills it where it has used up its time or memory. True once it has ended.
  bool ended();
  /// Of an ended process. What it has started is killed with it.
  IsolateEnd end();

 private:
  pid_t pid_ = -1;
  IsolateLimits limits_;
  Descriptor process_, report_, output_;
  Stopwatch since_;
  IsolateEnd end_;
  bool reaped_ = false;
};

}  // namespace nearfar
