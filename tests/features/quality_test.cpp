#include "features/quality.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/tensor.h>
#include <gtest/gtest.h>

#include <cmath>

namespace nearfar {
namespace {

at::Tensor rows(const std::vector<float>& values, std::int64_t width) {
  return at::tensor(values, at::kFloat).reshape({-1, width});
}
at::Tensor labels(const std::vector<std::int64_t>& values) { return at::tensor(values, at::kLong); }
float logit(double p) { return static_cast<float>(std::log(p / (1 - p))); }

TEST(ConfidenceBins, AreOpenBelowAndClosedAbove) {
  const auto bin = [](double confidence, std::int64_t bins) {
    return confidence_bins(at::tensor({confidence}, at::kDouble), bins).item<std::int64_t>();
  };
  // 3/15 is the float64 0.2: the upper end of the third of fifteen, and the next number begins the fourth.
  EXPECT_EQ(bin(0.2, 15), 2);
  EXPECT_EQ(bin(std::nextafter(0.2, 1), 15), 3);
  EXPECT_EQ(bin(std::nextafter(0.2, 0), 15), 2);
  // The number above 11/15, times 15, rounds to 11; 0.07 and 0.14, times 100, are above 7 and 14.
  EXPECT_EQ(bin(11.0 / 15, 15), 10);
  EXPECT_EQ(bin(std::nextafter(11.0 / 15, 1), 15), 11);
  EXPECT_EQ(bin(0.07, 100), 6);
  EXPECT_EQ(bin(0.14, 100), 13);
  EXPECT_EQ(bin(0, 15), 0);
  EXPECT_EQ(bin(1, 15), 14);
  EXPECT_EQ(bin(0.5, 1), 0);
}

TEST(Calibration, OfFourImagesByHand) {
  // Two classes; logits (x, 0) give probabilities (p, 1-p). p = 0.9, 0.9, 0.6, 0.2; the labels are 0, 1, 0, 0.
  const at::Tensor logits = rows({logit(0.9), 0, logit(0.9), 0, logit(0.6), 0, logit(0.2), 0}, 2);
  const Calibration found = calibration(logits, labels({0, 1, 0, 0}), 10);
  EXPECT_NEAR(found.nll, -(std::log(0.9) + std::log(0.1) + std::log(0.6) + std::log(0.2)) / 4, 1e-6);
  // Largest probabilities 0.9, 0.9 (one of two correct), 0.6 (correct), 0.8 (wrong): |1 - 1.8| + |1 - 0.6| + |0 - 0.8|
  // over 4.
  EXPECT_NEAR(found.ece, (0.8 + 0.4 + 0.8) / 4, 1e-6);
}

TEST(Calibration, IsZeroForCertaintyThatIsRight) {
  const Calibration found = calibration(rows({100, 0, 0, 100}, 2), labels({0, 1}));
  EXPECT_NEAR(found.nll, 0, 1e-12);
  EXPECT_NEAR(found.ece, 0, 1e-12);
}

TEST(Calibration, OfCertaintyThatIsWrongIsOne) {
  EXPECT_NEAR(calibration(rows({100, 0}, 2), labels({1})).ece, 1, 1e-12);
}

TEST(CountClasses, CountsImagesAndHitsOfEachClass) {
  const auto counts = count_classes(labels({0, 1, 1, 0}), labels({0, 0, 1, 0}), 3);
  ASSERT_EQ(counts.size(), 3U);
  EXPECT_EQ(counts[0].images, 3);
  EXPECT_EQ(counts[0].correct, 2);
  EXPECT_EQ(counts[1].images, 1);
  EXPECT_EQ(counts[1].correct, 1);
  EXPECT_EQ(counts[2].images, 0);
}

}  // namespace
}  // namespace nearfar
