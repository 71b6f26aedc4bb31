#include "train/schedule.h"

#include "base/error.h"
#include "support/golden.h"

#include <gmock/gmock.h>

#include <cmath>
#include <fstream>
#include <string>
#include <vector>

namespace nearfar {
namespace {

using ::testing::Each;

auto near(const std::vector<double>& wanted) { return ::testing::Pointwise(::testing::DoubleNear(1e-15), wanted); }

TrainRecipe recipe(double peak, double warmup, double last) {
  TrainRecipe result;
  result.epochs = 1;
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

TEST(LearningRate, FollowsTheOtherSchedules) {
  TrainRecipe r = recipe(1, 0, 0);
  r.epochs = 4;
  r.final_fraction = 0.2;
  const auto rates = [&] {
    std::vector<double> all;
    for (std::int64_t step = 0; step < 8; ++step) all.push_back(learning_rate(step, 2, r));
    return all;
  };
  r.schedule = "linear";
  EXPECT_THAT(rates(), near({1, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3}));
  r.schedule = "constant";
  EXPECT_THAT(rates(), Each(1));
  r.schedule = "cosine-epoch";  // 0.2 + 0.4 (1 + cos): 0, 45, 90, 135 degrees
  const double half = std::sqrt(0.5);
  EXPECT_THAT(rates(),
              near({1.0, 1.0, 0.6 + 0.4 * half, 0.6 + 0.4 * half, 0.6, 0.6, 0.6 - 0.4 * half, 0.6 - 0.4 * half}));
  r.schedule = "multi-step";
  r.milestones = "1 3";
  EXPECT_THAT(rates(), near({1.0, 1.0, 0.1, 0.1, 0.1, 0.1, 0.01, 0.01}));
}

TEST(LearningRate, WarmsUpByEpochsRightAndAsOpenOod) {
  TrainRecipe r = recipe(1, 0, 0);
  r.epochs = 4;
  r.schedule = "constant";
  r.warmup = "epochs";
  r.warmup_epochs = 2;
  r.warmup_lr = 0.2;
  for (std::int64_t step = 0; step < 8; ++step)  // 4 of the 8 steps
    EXPECT_NEAR(learning_rate(step, 2, r), step < 4 ? 0.2 + 0.2 * static_cast<double>(step + 1) : 1, 1e-15) << step;
  r.warmup = "openood";
  for (std::int64_t step = 0; step < 8; ++step)  // one epoch late, so 6 steps, the first below warmup_lr
    EXPECT_NEAR(learning_rate(step, 2, r), step < 6 ? 0.2 * static_cast<double>(step) : 1, 1e-15) << step;
}

/// Of OpenOOD's own trainers, at every step that the file has.
void expect_golden(const char* name, std::int64_t steps_per_epoch, const TrainRecipe& r) {
  const auto file = testing::golden(std::string("losses/") + name);
  if (!file) GTEST_SKIP() << "golden losses/" << name << " is not here";
  std::ifstream lines(*file);
  std::string line;
  std::getline(lines, line);
  ASSERT_TRUE(line.starts_with("global_step0,epoch1,step_in_epoch1,lr")) << line;
  std::int64_t seen = 0;
  while (std::getline(lines, line)) {
    const std::int64_t step = std::stoll(line);
    const double rate = std::stod(line.substr(line.rfind(',') + 1));
    ASSERT_NEAR(learning_rate(step, steps_per_epoch, r), rate, 1e-14) << name << " step " << step;
    ++seen;
  }
  EXPECT_GT(seen, 100);
}

TEST(GoldenLearningRate, IsOpenOodsBaseTrainers) {
  TrainRecipe r = recipe(0.1, 0, 1e-6);
  r.epochs = 100;
  expect_golden("lr_base_lr0.1_e100_s7.csv", 7, r);
  expect_golden("lr_base_lr0.1_e100_s391_thinned.csv", 391, r);
  r = recipe(0.001, 0, 1e-6);
  r.epochs = 30;
  expect_golden("lr_base_lr0.001_e30_s5.csv", 5, r);
}

TEST(GoldenLearningRate, IsOpenOodsReweightTrainers) {
  const auto reweight = [](double peak, std::int64_t epochs) {
    TrainRecipe r = recipe(peak, 0, 0);
    r.epochs = epochs;
    r.schedule = "cosine-epoch";
    r.final_fraction = 1e-3;
    r.warmup = "openood";
    return r;
  };
  expect_golden("lr_reweight_lr0.1_e100_s7.csv", 7, reweight(0.1, 100));
  expect_golden("lr_reweight_lr0.1_e100_s98_thinned.csv", 98, reweight(0.1, 100));
  expect_golden("lr_reweight_lr0.5_e100_s7.csv", 7, reweight(0.5, 100));
  expect_golden("lr_reweight_lr0.001_e30_s5.csv", 5, reweight(0.001, 30));
}

TEST(LearningRate, RefusesAStepOutsideTheRun) {
  EXPECT_THROW(learning_rate(8, 8, recipe(1, 0, 0)), Error);
  EXPECT_THROW(learning_rate(-1, 8, recipe(1, 0, 0)), Error);
}

}  // namespace
}  // namespace nearfar
