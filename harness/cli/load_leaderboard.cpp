#include "cli/load_leaderboard.h"

#include "base/error.h"
#include "base/locations.h"
#include "base/log.h"
#include "cli/figures.h"
#include "cli/scores.h"
#include "report/figures.h"
#include "report/published.h"
#include "report/ranks.h"
#include "report/selective_numbers.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

namespace nearfar {
namespace {

/// A row whose files are gone or changed stays without; the others have theirs.
Evidence evidence_of(const Session& session, const ResultSubject& subject) {
  try {
    Correct correct = read_correct(session, subject.accuracy_key);
    if (correct.empty()) return {};  // the scores need not be read
    return {.scores = read_scores(session, subject.cell_key), .correct = std::move(correct)};
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::data && error.kind() != ErrorKind::nothing) throw;
    log_warn(fmt::format("no AURC of cell {}: {}", subject.cell_key.substr(0, 12), error.what()));
    return {};
  }
}

}  // namespace

Leaderboard load_leaderboard(const Session& session, const Results& results, bool selective) {
  const RankRequest ranks{
      .scores = [&](int, const ResultSubject& subject) { return read_scores(session, subject.cell_key); }};
  Leaderboard leaderboard = make_leaderboard(results, &ranks);
  add_published(leaderboard, read_published(share() / "reports/published"));
  if (selective)
    add_selective(leaderboard, results, [&](const ResultSubject& one) { return evidence_of(session, one); });
  return leaderboard;
}

std::vector<std::vector<plot::Figure>> load_figures(const Session& session, const Results& results,
                                                    const Leaderboard& leaderboard, bool log_fpr) {
  FigureRequest request{
      .scores = [&](int, const ResultSubject& subject) { return read_scores(session, subject.cell_key); },
      .curves = [&](const ResultSubject& subject) { return read_curves(session.results(), subject.model_key); },
      .log_fpr = log_fpr};
  const std::vector<SelectedBoard> selected = select_boards(results.frame, results.filter);
  std::vector<std::vector<plot::Figure>> figures;
  for (const LeaderboardBoard& board : leaderboard.boards) {
    const auto found = std::ranges::find_if(selected, [&](const SelectedBoard& one) {
      return one.benchmark == board.benchmark && one.protocol == board.protocol && one.data_hash == board.data_hash;
    });
    request.cliques = board.over_sets.tested() ? std::optional(board.over_sets.cliques) : std::nullopt;
    figures.push_back(found == selected.end() ? std::vector<plot::Figure>{} : board_figures(board, *found, request));
  }
  return figures;
}

}  // namespace nearfar
