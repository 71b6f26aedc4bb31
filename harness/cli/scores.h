#pragma once
/// The stored scores of a finished eval cell, and the marks of a finished accuracy cell.
#include "report/score_sides.h"
#include "report/selective_numbers.h"
#include "store/results.h"
#include "store/session.h"

#include <string>

namespace nearfar {

/// Error(nothing): the cell has no scores; Error(data): a file is not the one that the run wrote.
void check_scores(const CellDetails& cell);

/// By set, checked against their hashes. Error(store): there is no such cell.
Scores read_scores(const Session& session, const std::string& cell_key);

/// Which images the classifier of an accuracy cell is right on, checked likewise; empty for "" and for cells of older
/// databases, which have stored no marks.
Correct read_correct(const Session& session, const std::string& cell_key);

}  // namespace nearfar
