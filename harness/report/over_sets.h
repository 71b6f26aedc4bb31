#pragma once
/// Whether the ranked rows of a board differ over its data sets: Friedman's test and the rows that it cannot tell apart
/// (metrics/friedman.h). Pure, safe from any thread.
#include "metrics/friedman.h"

#include <cstddef>
#include <string>
#include <vector>

namespace nearfar {

struct LeaderboardBoard;

struct OverSets {
  std::vector<std::string> sets = {};  ///< "near/NAME", "far/NAME": those of near and far, never of control
  std::size_t methods = 0;             ///< ranked rows: the first of the board
  std::string too_few = {};            ///< "too few data sets (3 of 6)", "one ranked row": no verdict. "": there is one
  Friedman friedman = {};              ///< its mean_ranks, by row, are there with two sets already
  /// Rows without a significant difference (Conover's test, Holm, 5 %), adjacent by mean rank; row numbers from 0. All
  /// rows are one where Friedman's test (F) is not significant.
  std::vector<std::vector<std::size_t>> cliques = {};

  bool tested() const { return too_few.empty(); }
  bool significant() const { return tested() && friedman.f_p < 0.05; }
};

/// From the AUROC of each set, mean over the seeds. O(rows² + rows × sets): a second for a few thousand rows.
OverSets over_sets(const LeaderboardBoard& board);

/// For below a table, without the board's name: "Over 7 data sets methods differ (Friedman's test, F = 12.30, p =
/// 0.0001); …", or why nothing is said.
std::string over_sets_sentence(const OverSets& over_sets);

}  // namespace nearfar
