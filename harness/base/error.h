#pragma once
/// Error kinds, exit codes and our own assertion. The exception type itself is the SDK's, so that plugins share it.
#include <nearfar/error.h>

#include <string_view>

namespace nearfar {

/// 2 interrupted · 3 internal · 4 usage/config · 5 nothing matched · 6 data · 7 plugin · 8 database.
int exit_code(ErrorKind kind);

/// "config", "data", … as written into the database and into messages between processes.
std::string_view kind_name(ErrorKind kind);
/// The reverse; an unknown name is `internal`.
ErrorKind kind_from_name(std::string_view name);

[[noreturn]] void assertion_failed(const char* expression, const char* file, int line);

}  // namespace nearfar

/// For our own bugs only; user input never reaches one. Throws Error(internal).
#define NEARFAR_ASSERT(expression) \
  ((expression) ? void() : ::nearfar::assertion_failed(#expression, __FILE__, __LINE__))
