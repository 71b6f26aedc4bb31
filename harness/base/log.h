#pragma once
/// Logging to stderr (stdout is for data). Thread-safe. Colour only on a terminal and without NO_COLOR.
#include <string_view>

namespace nearfar {

enum class LogLevel { debug, info, warn, error, off };

/// Called once by main; without it the level is `info`. `name` is printed in front of each line where not empty.
void init_logging(LogLevel level, std::string_view name = "");

void log_debug(std::string_view message);
void log_info(std::string_view message);
void log_warn(std::string_view message);
void log_error(std::string_view message);

}  // namespace nearfar
