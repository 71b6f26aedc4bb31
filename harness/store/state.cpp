#include "base/error.h"
#include "store/store.h"

#include <fmt/core.h>

#include <array>

namespace nearfar {
namespace {

constexpr std::array<std::string_view, 12> kNames = {"planned", "running",   "ok",      "failed",
                                                     "crashed", "hung",      "oom",     "timeout",
                                                     "nan",     "cancelled", "invalid", "not-applicable"};

}  // namespace

std::string_view state_name(CellState state) { return kNames.at(static_cast<std::size_t>(state)); }

CellState state_from_name(std::string_view name) {
  for (std::size_t i = 0; i < kNames.size(); ++i) {
    if (kNames[i] == name) return static_cast<CellState>(i);
  }
  throw Error(ErrorKind::store,
              fmt::format("unknown cell state '{}'; was the database written by a newer nearfar?", name));
}

}  // namespace nearfar
