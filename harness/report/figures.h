#pragma once
/// Figures of a board. Pure but for scores and curves, which functions bring; a figure without data is left out.
/// Names are those of the tables. Numbers are percent where an axis says so.
#include "plot/figure.h"
#include "report/leaderboard.h"
#include "report/score_sides.h"
#include "report/select.h"

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace nearfar {

/// What the training of a result's model wrote down; empty where there was none. Throws Error where it cannot be had.
using CurvesOf = std::function<std::vector<CurvePoint>(const ResultSubject& subject)>;

/// Indices of ranked rows, in the order of the board, that do not differ.
using RowCliques = std::vector<std::vector<std::size_t>>;

struct FigureRequest {
  ScoresOf scores = {};                    ///< empty: no figures of scores
  CurvesOf curves = {};                    ///< empty: no training curves
  bool log_fpr = false;                    ///< ROC curves over the logarithm of the false positive rate
  std::size_t rows = 5;                    ///< the best so many rows in each ROC figure
  std::size_t trainings = 8;               ///< the first so many of the board's order in training curves
  std::optional<RowCliques> cliques = {};  ///< nullopt: no test was made, and the diagram of ranks says so
};

/// All that there are, in the order below: "near-far", "cost", "sets", "ranks", "roc-GROUP-NAME" for each set,
/// "scores", "training-loss", "training-accuracy". Scores that cannot be read make no figures: a leaderboard without
/// its score files is none the worse. They are of each row's first seed.
std::vector<plot::Figure> board_figures(const LeaderboardBoard& board, const SelectedBoard& selected,
                                        const FigureRequest& request);

/// Mean AUROC near against far, whiskers from the lowest to the highest seed; a colour a training.
std::optional<plot::Figure> near_far_figure(const LeaderboardBoard& board);
/// What ranks against seconds of fit and score, with the Pareto front.
std::optional<plot::Figure> cost_figure(const LeaderboardBoard& board);
/// AUROC of rows by near and far sets.
std::optional<plot::Figure> sets_figure(const LeaderboardBoard& board);
/// Mean ranks of ranked rows over near and far sets, by mean AUROC; ties share the mean of their ranks.
std::optional<plot::Figure> ranks_figure(const LeaderboardBoard& board, const std::optional<RowCliques>& cliques);

/// "supcon (temperature=0.2) knn (k=20)".
std::string row_title(const LeaderboardBoard& board, const LeaderboardRow& row);

}  // namespace nearfar
