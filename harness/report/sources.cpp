#include "report/sources.h"

#include <algorithm>

namespace nearfar {
namespace {

LeaderboardBoard& board_for(Leaderboard& leaderboard, const LeaderboardBoard& like) {
  const auto found = std::ranges::find_if(leaderboard.boards, [&](const LeaderboardBoard& board) {
    return board.benchmark == like.benchmark && board.data_hash == like.data_hash && board.protocol == like.protocol;
  });
  if (found != leaderboard.boards.end()) return *found;
  LeaderboardBoard& added = leaderboard.boards.emplace_back();
  added.benchmark = like.benchmark;
  added.data_hash = like.data_hash;
  added.protocol = like.protocol;
  return added;
}

void add_sets(LeaderboardBoard& board, const LeaderboardBoard& other) {
  for (const BenchmarkSet& set : other.sets) {
    const bool known = std::ranges::any_of(
        board.sets, [&](const BenchmarkSet& one) { return one.group == set.group && one.name == set.name; });
    if (!known) board.sets.push_back(set);
  }
}

}  // namespace

void add_unverified(Leaderboard& leaderboard, const Leaderboard& other, const std::string& source) {
  for (const LeaderboardBoard& theirs : other.boards) {
    LeaderboardBoard& board = board_for(leaderboard, theirs);
    add_sets(board, theirs);
    for (LeaderboardRow row : theirs.rows) {
      row.rank = row.rank_low = row.rank_high = std::nullopt;
      row.unranked_reason = "unverified";
      row.source = source;
      for (LeaderboardNumber& number : row.numbers) number.mark = Mark::none;
      board.rows.push_back(std::move(row));
    }
  }
}

std::string LeaderboardSource::label() const {
  const std::string what = title.empty() ? name : title;
  return author.empty() ? what : what + " (" + author + ")";
}

}  // namespace nearfar
