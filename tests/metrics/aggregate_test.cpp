#include "metrics/aggregate.h"

#include <nearfar/error.h>

#include <gtest/gtest.h>

#include <vector>

namespace nearfar {
namespace {

TEST(MeanStd, DividesByN) {
  // mean 5; squared differences 9 1 1 1 0 0 4 16, sum 32, / 8 = 4
  const MeanStd m = mean_std(std::vector<double>{2, 4, 4, 4, 5, 5, 7, 9});
  EXPECT_DOUBLE_EQ(m.mean, 5);
  EXPECT_DOUBLE_EQ(m.std, 2);
  EXPECT_EQ(m.n, 8u);
}

TEST(MeanStd, OfOneValueHasNoDeviation) {
  const MeanStd m = mean_std(std::vector<double>{0.1});
  EXPECT_EQ(m.mean, 0.1);
  EXPECT_EQ(m.std, 0.0);
  EXPECT_EQ(m.n, 1u);
}

TEST(MeanStd, RefusesNoValues) { EXPECT_THROW(mean_std({}), Error); }

TEST(MeanOverSets, WeighsSetsEquallyHoweverLarge) {
  const std::vector<OodMetrics> sets{
      {.n_id = 10, .n_ood = 1, .auroc = 0.5, .fpr95 = 1.0, .aupr_in = 0.25, .aupr_out = 0.5},
      {.n_id = 10, .n_ood = 999, .auroc = 1.0, .fpr95 = 0.5, .aupr_in = 0.75, .aupr_out = 0.0}};
  const OodMetrics mean = mean_over_sets(sets);
  EXPECT_EQ(mean.n_id, 10u);
  EXPECT_EQ(mean.n_ood, 1000u);
  EXPECT_DOUBLE_EQ(mean.auroc, 0.75);
  EXPECT_DOUBLE_EQ(mean.fpr95, 0.75);
  EXPECT_DOUBLE_EQ(mean.aupr_in, 0.5);
  EXPECT_DOUBLE_EQ(mean.aupr_out, 0.25);
}

TEST(MeanOverSets, RefusesNoSetsAndUnlikeIdSides) {
  EXPECT_THROW(mean_over_sets({}), Error);
  EXPECT_THROW(mean_over_sets(std::vector<OodMetrics>{{.n_id = 10}, {.n_id = 11}}), Error);
}

}  // namespace
}  // namespace nearfar
