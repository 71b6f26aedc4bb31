#include "features/accuracy.h"

#include "base/error.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

#include <cmath>

namespace nearfar {
namespace {

at::Tensor rows(const std::vector<float>& values, std::int64_t width) {
  return at::tensor(values, at::kFloat).reshape({-1, width});
}
at::Tensor labels(const std::vector<std::int64_t>& values) { return at::tensor(values, at::kLong); }

TEST(NormalizedRows, HaveLengthOneAndKeepZeroRows) {
  EXPECT_TRUE(at::equal(normalized_rows(rows({3, 4, 0, 0}, 2)), rows({0.6F, 0.8F, 0, 0}, 2)));
}

TEST(LinearAccuracy, CountsTheLargestLogit) {
  const Classification result = linear_accuracy(rows({1, 2, 3, 0, 0, 5}, 2), labels({1, 1, 1}));
  EXPECT_TRUE(at::equal(result.predictions, labels({1, 0, 1})));
  EXPECT_DOUBLE_EQ(result.accuracy, 2.0 / 3);
}

TEST(NcmAccuracy, TakesTheNearestMeanOfNormalisedRows) {
  // Class 0 along x (two lengths, one direction), class 1 along y. (5, 4) leans to x, (-1, 3) to y.
  const at::Tensor train = rows({1, 0, 100, 0, 0, 2}, 2);
  const Classification result = ncm_accuracy(train, labels({0, 0, 1}), 2, rows({5, 4, -1, 3}, 2), labels({0, 0}));
  EXPECT_TRUE(at::equal(result.predictions, labels({0, 1})));
  EXPECT_DOUBLE_EQ(result.accuracy, 0.5);
}

TEST(NcmAccuracy, UsesTheMeanAsItIsNotItsDirection) {
  // Class 0: (1,0) and (-0.8,0.6) have mean (0.1,0.3), direction (0.32,0.95); class 1: (0.6,0.8).
  // Row (0,1): |(0,1)-(0.1,0.3)|^2 = 0.01 + 0.49 = 0.5; |(0,1)-(0.6,0.8)|^2 = 0.36 + 0.04 = 0.4: class 1.
  const Classification result =
      ncm_accuracy(rows({1, 0, -0.8F, 0.6F, 0.6F, 0.8F}, 2), labels({0, 0, 1}), 2, rows({0, 1}, 2), labels({1}));
  EXPECT_EQ(result.accuracy, 1);
}

TEST(NcmAccuracy, NeverPredictsAClassWithoutTrainRows) {
  const Classification result = ncm_accuracy(rows({1, 0}, 2), labels({1}), 3, rows({0, 0, -1, 0}, 2), labels({1, 1}));
  EXPECT_EQ(result.accuracy, 1);
}

TEST(NcmAccuracy, RefusesLabelsOutsideTheClasses) {
  EXPECT_THROW(ncm_accuracy(rows({1, 0}, 2), labels({-1}), 2, rows({1, 0}, 2), labels({0})), Error);
  EXPECT_THROW(ncm_accuracy(rows({1, 0}, 2), labels({2}), 2, rows({1, 0}, 2), labels({0})), Error);
  EXPECT_THROW(ncm_accuracy(rows({1, 0}, 2), labels({0}), 2, rows({1, 0, 0}, 3), labels({0})), Error);
}

TEST(Accuracy, OfNoImagesIsNaN) { EXPECT_TRUE(std::isnan(linear_accuracy(at::zeros({0, 2}), labels({})).accuracy)); }

}  // namespace
}  // namespace nearfar
