#pragma once
/// The leaderboard that `report`, `run` and `serve` show: with rank intervals, from scores where they can be read, and
/// with what others have published. And its figures.
#include "plot/figure.h"
#include "report/leaderboard.h"
#include "report/results.h"
#include "store/session.h"

#include <string>
#include <vector>

namespace nearfar {

/// `results`: of the session (load_results()), loaded once for all that is made of them. `selective`: with AURC and
/// AUGRC of every row, which reads all scores. Error(store).
Leaderboard load_leaderboard(const Session& session, const Results& results, bool selective = false);

/// Of each board, in their order. `log_fpr`: ROC curves over the logarithm of the false positive rate. Error(store).
std::vector<std::vector<plot::Figure>> load_figures(const Session& session, const Results& results,
                                                    const Leaderboard& leaderboard, bool log_fpr = false);

}  // namespace nearfar
