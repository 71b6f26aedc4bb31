#pragma once
/// The score files of finished cells.
#include "store/results.h"

namespace nearfar {

/// Error(nothing): the cell has no scores; Error(data): a file is missing, or not the one that the run wrote.
void check_scores(const CellDetails& cell);

}  // namespace nearfar
