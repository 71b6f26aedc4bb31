#pragma once
/// What of a database is done, at work and still to do, as `status` and `serve` show it. Reads the store, which one
/// thread uses; `remaining` is pure.
#include "store/results.h"

#include <optional>
#include <string>
#include <vector>

namespace nearfar {

/// ResultStore::cells(), but a cell whose process is gone (killed, or a disk that was full) is planned, whatever it
/// last wrote. With `states` a cell is found by what it last wrote.
std::vector<CellStatus> cells_now(const ResultStore& results, const std::optional<std::string>& experiment,
                                  const std::vector<CellState>& states = {});
/// ResultStore::counts() by the same rule; a kind and state may come twice.
std::vector<CellCount> counts_now(const ResultStore& results, const std::optional<std::string>& experiment);

/// Something is planned or running.
bool any_open(const std::vector<CellCount>& counts);

/// How long it will take.
struct Remaining {
  double seconds = 0;
  bool at_least = false;  ///< nothing is known yet of some kind of cell that is still to do
  int engines = 0;        ///< that are at work now: the cells are thought to be shared between them
};
/// By the mean of finished cells of the same kind, whatever they were of: a rough number. `running`: cells at work, of
/// which the cells of one engine follow each other. nullopt: nothing is at work, or of nothing that is something is
/// known.
std::optional<Remaining> remaining(const std::vector<CellCount>& counts, const std::vector<CellStatus>& running,
                                   const std::vector<CostRow>& costs);

/// Seconds that a finished cell of this kind took on average; nullopt: none has.
std::optional<double> typical_seconds(CellKind kind, const std::vector<CostRow>& costs);

}  // namespace nearfar
