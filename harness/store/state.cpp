/// How states and kinds of cells are written.
#include "base/error.h"
#include "store/types.h"

#include <fmt/core.h>

#include <array>

namespace nearfar {
namespace {

constexpr std::array<std::string_view, 12> kStates = {"planned", "running",   "ok",      "failed",
                                                      "crashed", "timeout",   "nan",     "oom",
                                                      "hung",    "cancelled", "invalid", "not-applicable"};
constexpr std::array<std::string_view, 4> kKinds = {"train", "features", "accuracy", "eval"};

template <class Enum, std::size_t N>
Enum from_name(const std::array<std::string_view, N>& names, std::string_view name, std::string_view what) {
  for (std::size_t i = 0; i < N; ++i) {
    if (names[i] == name) return static_cast<Enum>(i);
  }
  throw Error(ErrorKind::store,
              fmt::format("unknown cell {} '{}'; was the database written by a newer nearfar?", what, name));
}

}  // namespace

std::string_view state_name(CellState state) { return kStates.at(static_cast<std::size_t>(state)); }
CellState state_from_name(std::string_view name) { return from_name<CellState>(kStates, name, "state"); }

std::string_view kind_name(CellKind kind) { return kKinds.at(static_cast<std::size_t>(kind)); }
CellKind cell_kind_from_name(std::string_view name) { return from_name<CellKind>(kKinds, name, "kind"); }

}  // namespace nearfar
