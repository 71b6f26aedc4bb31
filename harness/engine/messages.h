#pragma once
/// Messages to the parent: JSON lines on file descriptor 3 (docs/engine-protocol.md). One write a line, so lines never
/// mix. Without that descriptor (a person runs the engine by hand) they go to stdout.
#include "wire/messages.h"

#include <exception>
#include <string_view>

namespace nearfar {

void send(const wire::AnyMessage& message);
/// The answer of a verb that is asked something.
template <class Facts>
void send_result(const Facts& facts) {
  send(wire::Result{wire::to_json(facts)});
}
/// What a person is told. LibTorch's backtraces go to the debug log.
std::string message_of(const std::exception& error);

/// The same of c10::OutOfMemoryError, with what to do.
std::string out_of_memory_text(const std::exception& error);

/// What memory this process has held at most, and what it may: "; it held 1.2 GiB at most, run.memory_limit is 1 GiB".
std::string memory_text();

/// Why a cell failed, told of an exception. Where that is the memory of this process, the process ends: what was leaked
/// does not come back, and the parent lets another do the rest.
void send_failed(const std::string& cell, const std::exception_ptr& why);
/// Is there a parent that reads them?
bool has_parent();

/// Progress of the current cell, at most ten a second; the last one (done == total) always.
void send_progress(double done, double total, std::string_view note);

/// A sign of life, at most one a second: for loops that go on and have no progress to tell. Called from the loop
/// itself, never from a thread beside it: that would live on while the loop hangs.
void send_alive();

/// True once SIGTERM, SIGINT or SIGUSR2 has come: write a checkpoint and stop.
bool stop_requested();
void watch_for_stop();

}  // namespace nearfar
