#pragma once
/// The process between us and an engine. It starts the engine and ends everything that the engine has started, also
/// what left its process group, when the engine is gone, when a limit is passed, when it is told to, and when we are
/// gone (their common socket closes then: no thread of ours has to live for it, as PR_SET_PDEATHSIG would want).
/// Private to child.cpp. It runs between fork() and the end of its process, so that every call in it is
/// async-signal-safe: nothing is allocated.
#include "work/process.h"

#include <sys/types.h>

#include <cstdint>

namespace nearfar {

/// What the keeper says first. `engine` < 0: the engine could not be made, `error` is why (errno).
struct KeeperHello {
  pid_t engine = -1;
  int error = 0;
};

/// What the keeper says last. After it nothing of the engine runs any more.
struct KeeperReport {
  int status = 0;  ///< of the engine, as waitpid() gives it
  KilledFor killed_for = KilledFor::nothing;
  std::int64_t peak_bytes = 0;  ///< resident memory: the engine's at most, or all of its processes' where that was more
};

struct KeeperOrders {
  int socket = -1;                 ///< its end of a SOCK_SEQPACKET pair: hello, report; a byte from us is a signal
  std::int64_t memory_bytes = 0;   ///< that the engine and what it has started may use; 0 = as much as there is
  int processes = 256;             ///< that the engine may have started at a time
  void (*start)(void*) = nullptr;  ///< in the engine's process: exec; does not come back
  void* argument = nullptr;        ///< of `start`
};

/// In a child of fork(); does not come back.
[[noreturn]] void keep(const KeeperOrders& orders);

}  // namespace nearfar
