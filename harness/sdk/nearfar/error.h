#pragma once
/// The one exception type for what a person can fix. std only: torch-free folders use it too.
#include <nearfar/abi.h>

#include <stdexcept>
#include <string>
#include <utility>

namespace nearfar {

/// What kind of thing is wrong; decides the exit code (base/error.h).
enum class ErrorKind { internal, config, nothing, data, plugin, store, interrupted };

/// The message says what was found, what was expected, where, and what to do. Default visibility: thrown across library
/// borders.
class NEARFAR_EXPORT Error : public std::runtime_error {
 public:
  Error(ErrorKind kind, const std::string& message) : std::runtime_error(message), kind_(kind) {}
  ErrorKind kind() const noexcept { return kind_; }

 private:
  ErrorKind kind_;
};

}  // namespace nearfar
