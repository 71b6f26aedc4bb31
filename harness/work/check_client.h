#pragma once
/// Asks an engine to check a plugin's file. Any thread.
#include "wire/check.h"

namespace nearfar {

/// Error as the engine tells it: config for a bad parameter or expression; what is wrong with the plugin is in the
/// answer.
wire::CheckFacts engine_check(const wire::CheckJob& job);

}  // namespace nearfar
