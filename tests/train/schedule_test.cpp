#include "train/schedule.h"

#include "base/error.h"

#include <gtest/gtest.h>

namespace nearfar {
namespace {

TrainRecipe recipe(double peak, double warmup, double last) {
  TrainRecipe result;
  result.learning_rate = peak;
  result.warmup_fraction = warmup;
  result.final_lr = last;
  return result;
}

TEST(LearningRate, WarmsUpLinearlyThenFollowsTheCosine) {
  // 8 steps, a quarter = 2 of warm-up: 0.6 * 1/3, 0.6 * 2/3, then 6 steps of cosine: cos(0) = 1, cos(60) = 1/2, cos(90)
  // = 0, cos(120) = -1/2.
  const TrainRecipe r = recipe(0.6, 0.25, 0);
  EXPECT_NEAR(learning_rate(0, 8, r), 0.2, 1e-15);
  EXPECT_NEAR(learning_rate(1, 8, r), 0.4, 1e-15);
  EXPECT_NEAR(learning_rate(2, 8, r), 0.6, 1e-15);
  EXPECT_NEAR(learning_rate(4, 8, r), 0.6 * 0.75, 1e-15);
  EXPECT_NEAR(learning_rate(5, 8, r), 0.6 * 0.5, 1e-15);
  EXPECT_NEAR(learning_rate(6, 8, r), 0.6 * 0.25, 1e-15);
}

TEST(LearningRate, EndsTowardsTheFinalRate) {
  // Without warm-up the middle of the cosine is the mean of both ends.
  EXPECT_NEAR(learning_rate(5, 10, recipe(1, 0, 0.5)), 0.75, 1e-15);
  EXPECT_NEAR(learning_rate(0, 10, recipe(1, 0, 0.5)), 1, 1e-15);
}

TEST(LearningRate, StaysBetweenItsEndsAndIsNeverZeroInWarmUp) {
  for (const std::int64_t total : {1, 2, 3, 7, 100}) {
    for (const double warmup : {0.0, 0.1, 0.5, 0.99}) {
      for (std::int64_t step = 0; step < total; ++step) {
        const double rate = learning_rate(step, total, recipe(0.3, warmup, 0));
        EXPECT_GT(rate, 0) << step << "/" << total << " warm-up " << warmup;
        EXPECT_LE(rate, 0.3);
      }
    }
  }
}

TEST(LearningRate, RefusesAStepOutsideTheRun) {
  EXPECT_THROW(learning_rate(8, 8, recipe(1, 0, 0)), Error);
  EXPECT_THROW(learning_rate(-1, 8, recipe(1, 0, 0)), Error);
}

}  // namespace
}  // namespace nearfar
