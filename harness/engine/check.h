#pragma once
/// The checks of a plugin (conformance/run.h), as verbs of the engine.
#include "wire/check.h"

#include <span>

namespace nearfar {

/// `nearfar plugin check` → wire::CheckFacts.
void check(const wire::CheckJob& job);

/// nearfar-engine check-one FILE CHECK DEVICE [--tolerance=T] [NAME=VALUE]…: one check in this process, for a debugger.
/// Prints how it ended; the exit code. Error(config) for other words.
int check_one(std::span<char* const> words);

}  // namespace nearfar
