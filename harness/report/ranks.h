#pragma once
/// What the ranks of a board are worth: rank intervals, and which numbers are shown apart because they are really
/// better. Both by resampling seeds and images (metrics/rank_intervals.h). Pure but for the scores, which a function
/// brings.
///
/// Images count where the scores of all ranked rows can be had and are not too many to read; else seeds alone, where
/// there are several; else there is nothing to say. The best number of a column is marked if it is better than the
/// second in 97.5 % of the resamples (a two-sided test at 5 %), the second if the best is marked and the second is
/// better than the third likewise. Metrics other than AUROC are judged by seeds alone, of which there must be three.
#include "report/leaderboard.h"
#include "report/score_sides.h"
#include "report/select.h"

#include <cstdint>

namespace nearfar {

struct RankRequest {
  ScoresOf scores = {};                   ///< empty: seeds alone
  std::int64_t most_scores = 40'000'000;  ///< more are not read: seeds alone
  int resamples = 400;
  std::uint64_t random = 0;
};

/// Fills rank_low, rank_high and marks of the ranked rows, and intervals_from of the board. `selected` is what the
/// board was made of. Scores that cannot be read are no error: seeds alone then.
void add_rank_intervals(LeaderboardBoard& board, const SelectedBoard& selected, const RankRequest& request);

}  // namespace nearfar
