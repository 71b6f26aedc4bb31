#include "metrics/roc_curve.h"

#include "base/error.h"
#include "metrics/ranking.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <utility>
#include <vector>

namespace nearfar {
namespace {

using Points = std::vector<std::pair<double, double>>;

Points points_of(const std::vector<double>& id, const std::vector<double>& ood) {
  Points points;
  for (const RocPoint& point : roc_curve(id, ood)) points.emplace_back(point.fpr, point.tpr);
  return points;
}

TEST(RocCurve, GoesFromTheHighestScoreDown) {
  // 4 ood: (0, 1/2); 3 id: (1/2, 1/2); 2 ood: (1/2, 1); 1 id: (1, 1).
  EXPECT_EQ(points_of({1, 3}, {2, 4}), (Points{{0, 0}, {0, 0.5}, {0.5, 0.5}, {0.5, 1}, {1, 1}}));
}

TEST(RocCurve, TakesATieAsOnePoint) { EXPECT_EQ(points_of({1, 1}, {1, 2}), (Points{{0, 0}, {0, 0.5}, {1, 1}})); }

TEST(RocCurve, LeavesOutPointsOfAStraightPart) {
  EXPECT_EQ(points_of({1, 2, 3}, {4, 5, 6}), (Points{{0, 0}, {0, 1}, {1, 1}}));
}

TEST(RocCurve, HasTheAreaThatIsTheAuroc) {
  std::uint32_t state = 7;
  const auto draw = [&](int levels) {
    state = state * 1664525U + 1013904223U;
    return static_cast<double>((state >> 8U) % static_cast<std::uint32_t>(levels));
  };
  std::vector<double> id, ood;
  for (int i = 0; i < 500; ++i) {
    id.push_back(draw(60));
    ood.push_back(draw(60) + 7);
  }
  double area = 0;
  const std::vector<RocPoint> curve = roc_curve(id, ood);
  for (std::size_t i = 1; i < curve.size(); ++i)
    area += (curve[i].fpr - curve[i - 1].fpr) * (curve[i].tpr + curve[i - 1].tpr) / 2;
  EXPECT_NEAR(area, auroc(id, ood), 1e-12);
}

TEST(RocCurve, RefusesWhatCannotBeRanked) {
  EXPECT_THROW(points_of({}, {1}), Error);
  EXPECT_THROW(points_of({1}, {std::nan("")}), Error);
}

}  // namespace
}  // namespace nearfar
