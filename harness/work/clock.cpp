#include "work/process.h"

#include <chrono>

namespace nearfar {

double SteadyClock::seconds() const {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

}  // namespace nearfar
