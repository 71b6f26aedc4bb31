#include "report/workload.h"

#include <gtest/gtest.h>

namespace nearfar {
namespace {

CostRow cost(CellKind kind, std::int64_t runs, double seconds) {
  CostRow row{.kind = kind};
  row.runs = runs;
  row.seconds = seconds;
  return row;
}
CellStatus running(CellKind kind, const std::string& owner, const std::string& log, double seconds) {
  CellStatus cell;
  cell.kind = kind;
  cell.state = CellState::running;
  cell.owner = owner;
  cell.log_file = log;
  cell.seconds = seconds;
  return cell;
}

TEST(Workload, TypicalTimeIsTheMeanOverAllRowsOfAKind) {
  const std::vector<CostRow> costs{cost(CellKind::train, 1, 10), cost(CellKind::train, 3, 70),
                                   cost(CellKind::eval, 2, 1)};
  EXPECT_EQ(typical_seconds(CellKind::train, costs), 20);  // 80 s of 4 runs
  EXPECT_EQ(typical_seconds(CellKind::features, costs), std::nullopt);
}

TEST(Workload, WhatIsLeftIsSharedBetweenTheEnginesAtWork) {
  const std::vector<CostRow> costs{cost(CellKind::train, 1, 20), cost(CellKind::eval, 1, 2)};
  const std::vector<CellCount> counts{{CellKind::train, CellState::planned, 2},
                                      {CellKind::train, CellState::running, 1},
                                      {CellKind::eval, CellState::planned, 5},
                                      {CellKind::eval, CellState::running, 2},
                                      {CellKind::eval, CellState::ok, 9}};
  // planned: 2 · 20 + 5 · 2 = 50; the training has 20 - 5 to go; of two cells that started together nobody knows which
  // one runs: 2 · 2. Together 69, by two engines.
  const auto left = remaining(counts,
                              {running(CellKind::train, "me", "a.log", 5), running(CellKind::eval, "me", "b.log", 3),
                               running(CellKind::eval, "me", "b.log", 3)},
                              costs);
  ASSERT_TRUE(left);
  EXPECT_EQ(left->engines, 2);
  EXPECT_DOUBLE_EQ(left->seconds, 34.5);
  EXPECT_FALSE(left->at_least);
}

TEST(Workload, IsALowerBoundWhereAKindIsNotKnownAndNothingWhereNoneIs) {
  const std::vector<CellCount> counts{{CellKind::eval, CellState::planned, 3}};
  const std::vector<CellStatus> at_work{running(CellKind::train, "me", "a.log", 30)};
  const auto left = remaining(counts, at_work, {cost(CellKind::train, 1, 20)});
  ASSERT_TRUE(left);
  EXPECT_TRUE(left->at_least);
  EXPECT_EQ(left->seconds, 0);  // it has taken longer than usual already: not less than nothing
  EXPECT_FALSE(remaining(counts, at_work, {}));
  EXPECT_FALSE(remaining(counts, {}, {cost(CellKind::eval, 1, 2)}));  // nobody is at work
}

}  // namespace
}  // namespace nearfar
