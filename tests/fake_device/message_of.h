#pragma once
/// What LibTorch's error says, without its backtrace; "no error" where there is none.
#include <c10/util/Exception.h>

#include <string>

namespace nearfar::fake {

template <typename Body>
std::string message_of(const Body& body) {
  try {
    body();
  } catch (const c10::Error& error) {
    return error.what_without_backtrace();
  }
  return "no error";
}

}  // namespace nearfar::fake
