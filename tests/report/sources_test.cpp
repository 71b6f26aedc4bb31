#include "report/sources.h"

#include <gtest/gtest.h>

namespace nearfar {
namespace {

Leaderboard one_row(const std::string& data_hash, const std::string& training) {
  Leaderboard leaderboard;
  LeaderboardBoard& board = leaderboard.boards.emplace_back();
  board.benchmark = "tiny";
  board.data_hash = data_hash;
  board.protocol = "ood";
  board.sets = {{.name = "cousins", .group = "near"}};
  LeaderboardRow& row = board.rows.emplace_back();
  row.training = training;
  row.rank = 1;
  return leaderboard;
}

TEST(AddUnverified, PutsRowsWithoutARankBelowTheOthers) {
  Leaderboard leaderboard = one_row("d47a", "ce");
  add_unverified(leaderboard, one_row("d47a", "forged"), "B");
  ASSERT_EQ(leaderboard.boards.size(), 1U);
  const std::vector<LeaderboardRow>& rows = leaderboard.boards[0].rows;
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(rows[0].training, "ce");
  EXPECT_EQ(rows[0].rank, 1);
  EXPECT_EQ(rows[1].rank, std::nullopt);
  EXPECT_EQ(rows[1].unranked_reason, "unverified");
  EXPECT_EQ(rows[1].source, "B");
  EXPECT_EQ(leaderboard.boards[0].sets.size(), 1U);
}

TEST(AddUnverified, GivesOtherDataABoardOfTheirOwn) {
  Leaderboard leaderboard = one_row("d47a", "ce");
  add_unverified(leaderboard, one_row("07e3", "forged"), "B");
  ASSERT_EQ(leaderboard.boards.size(), 2U);
  EXPECT_EQ(leaderboard.boards[1].data_hash, "07e3");
  EXPECT_EQ(leaderboard.boards[1].rows[0].rank, std::nullopt);
}

TEST(LeaderboardSource, IsCalledByItsTitleOrElseByItsFile) {
  EXPECT_EQ((LeaderboardSource{.name = "x.tar.zst", .title = "T", .author = "A"}.label()), "T (A)");
  EXPECT_EQ((LeaderboardSource{.name = "x.tar.zst"}.label()), "x.tar.zst");
}

}  // namespace
}  // namespace nearfar
