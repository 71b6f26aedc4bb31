/// What is drawn: the same counters as train/random.h, and the distributions of torchvision.
#include "kernels/augment_body.h"
#include "train/random.h"

#include <gtest/gtest.h>

#include <cmath>
#include <set>
#include <vector>

namespace nearfar {
namespace {

using augmentation::Counter;
using augmentation::Draw;

AugmentJob job_of(std::int32_t height, std::int32_t width) {
  return {.height = height, .width = width, .channels = 3, .smallest_crop = 1};
}

std::vector<Draw> draws(const AugmentJob& job, std::uint64_t count) {
  std::vector<Draw> all;
  for (std::uint64_t i = 0; i < count; ++i) all.push_back(augmentation::draw(job, {7, 2, i % 2, i / 2}));
  return all;
}

TEST(Counter, IsThatOfTraining) {
  for (const RandomPurpose purpose : {RandomPurpose::shift_rows, RandomPurpose::shift_columns, RandomPurpose::flip}) {
    EXPECT_EQ((Counter{11, 3, 1, 42}.bits(static_cast<std::uint64_t>(purpose))), random_bits(11, purpose, 3, 42, 1));
  }
  EXPECT_EQ(high_product(0xdeadbeefcafef00dU, 9), bounded(0xdeadbeefcafef00dU, 9));
}

TEST(SmallExp, IsTheExponential) {
  for (float x = -0.144F; x < 0.144F; x += 0.001F) EXPECT_NEAR(augmentation::small_exp(x), std::exp(x), 1.2e-7);
}

TEST(Crop, HasAreasAndRatiosAsAskedAndLiesInside) {
  AugmentJob job = job_of(64, 96);
  job.smallest_crop = 0.2F;
  double area = 0, log_ratio = 0, middle = 0;
  constexpr int kDraws = 20000;
  for (const Draw& d : draws(job, kDraws)) {
    ASSERT_TRUE(d.top >= 0 && d.left >= 0 && d.height > 0 && d.width > 0);
    ASSERT_TRUE(d.top + d.height <= 64 && d.left + d.width <= 96);
    const double share = d.height * d.width / (64.0 * 96.0), ratio = static_cast<double>(d.width) / d.height;
    ASSERT_GT(share, 0.19);
    ASSERT_GT(ratio, 0.73);
    ASSERT_LT(ratio, 1.37);
    area += share / kDraws, log_ratio += std::log(ratio) / kDraws;
    middle += (d.left + 0.5 * d.width) / kDraws;
  }
  // Crops that do not fit are drawn again, so the largest areas, wide ones most of all, are rarer than uniform.
  EXPECT_GT(area, 0.45);
  EXPECT_LT(area, 0.60);
  EXPECT_GT(log_ratio, 0);  // the image is wider than high
  EXPECT_NEAR(middle, 48, 0.6);
}

TEST(Crop, OfASmallShareHasTheMeansByHand) {
  // Areas 0.1 … 0.3 of a square always fit: the mean share is 0.2 (whole pixels: to about 1 %), that of log ratios 0.
  AugmentJob job = job_of(200, 200);
  job.smallest_crop = 0.1F;
  double area = 0, log_ratio = 0;
  int counted = 0;
  for (const Draw& d : draws(job, 40000)) {
    const double share = d.height * d.width / 40000.0;
    if (share > 0.3) continue;
    area += share, log_ratio += std::log(static_cast<double>(d.width) / d.height), ++counted;
  }
  EXPECT_GT(counted / 40000.0, 0.2 / 0.9);  // of the largest, those that do not fit are drawn again
  EXPECT_NEAR(area / counted, 0.2, 0.003);
  EXPECT_NEAR(log_ratio / counted, 0, 0.006);
}

TEST(Crop, OfAStripIsItsMiddle) {
  // 4 x 90: whatever is drawn, a crop of at least nine tenths is wider than its ratio allows; left is 4 x round(4 *
  // 4/3).
  AugmentJob job = job_of(4, 90);
  job.smallest_crop = 0.9F;
  for (const Draw& d : draws(job, 50)) {
    EXPECT_EQ(d.height, 4);
    EXPECT_EQ(d.width, 5);
    EXPECT_EQ(d.left, 42);
  }
}

TEST(Jitter, DrawsEveryOrderAndFactorsInTheirRange) {
  AugmentJob job = job_of(8, 8);
  job.jitter_share = 0.8F, job.gray_share = 0.2F;
  job.brightness = 0.4F, job.contrast = 1.5F, job.saturation = 0.4F, job.hue = 0.1F;
  std::set<std::vector<std::int32_t>> orders;
  int jittered = 0, grays = 0, most_turn = 0, least_turn = 0;
  double brightness = 0, contrast = 0;
  for (const Draw& d : draws(job, 10000)) {
    grays += d.gray ? 1 : 0;
    if (!d.jitter) continue;
    ++jittered;
    orders.insert(std::vector<std::int32_t>(d.order, d.order + augmentation::kSteps));
    ASSERT_TRUE(0.6F <= d.brightness && d.brightness < 1.4F && 0 <= d.contrast && d.contrast < 2.5F);
    brightness += d.brightness, contrast += d.contrast;
    most_turn = std::max(most_turn, d.turn), least_turn = std::min(least_turn, d.turn);
  }
  EXPECT_EQ(orders.size(), 24U);
  EXPECT_EQ(std::set<std::int32_t>(orders.begin()->begin(), orders.begin()->end()),
            (std::set<std::int32_t>{0, 1, 2, 3}));
  EXPECT_NEAR(jittered, 8000, 200);  // 5 standard deviations
  EXPECT_NEAR(grays, 2000, 200);
  EXPECT_NEAR(brightness / jittered, 1, 0.013);   // of 0.8 / sqrt(12) / sqrt(8000): 5 of them
  EXPECT_NEAR(contrast / jittered, 1.25, 0.041);  // 0 … 2.5
  EXPECT_EQ(most_turn, 25);                       // 0.1 of 255, towards 0
  EXPECT_EQ(least_turn, -25);
}

}  // namespace
}  // namespace nearfar
