/// The AUROC that a training keeps of every epoch, by hand.
#include "engine/ood_monitor.h"

#include <ATen/ops/from_blob.h>
#include <gtest/gtest.h>

#include <limits>
#include <vector>

namespace nearfar {
namespace {

at::Tensor rows(std::vector<float> values, std::int64_t width) {
  const auto count = static_cast<std::int64_t>(values.size()) / width;
  return at::from_blob(values.data(), {count, width}, at::kFloat).clone();
}
at::Tensor labels(std::vector<std::int64_t> values) {
  return at::from_blob(values.data(), {static_cast<std::int64_t>(values.size())}, at::kLong).clone();
}

FeatureBatch with_logits(std::vector<float> values) {
  FeatureBatch batch;
  batch.logits = rows(std::move(values), 2);
  return batch;
}

FeatureBatch embedded(std::vector<float> values, std::vector<std::int64_t> its_labels) {
  FeatureBatch batch;
  batch.features = rows(std::move(values), 2);
  batch.labels = labels(std::move(its_labels));
  return batch;
}

TEST(OodMonitor, RanksByTheHighestSoftmaxProbability) {
  const FeatureBatch val = with_logits({0, 3, 2, 0});                  // differences 3 and 2
  EXPECT_EQ(ood_val_auroc(val, with_logits({0, 1, 9, 9}), 2), 1.0);    // 1 and 0: less sure
  EXPECT_EQ(ood_val_auroc(val, with_logits({0, 1, 4, 0}), 2), 0.5);    // 1 and 4: below and above both
  EXPECT_EQ(ood_val_auroc(val, with_logits({50, 0, 0, 50}), 2), 0.0);  // surer than both
}

TEST(OodMonitor, RanksEmbeddingsByTheNearestMeanOfTheOtherHalf) {
  // Class 0 at 1 and 0.9 along x, class 1 along y; the second of each is scored against the first.
  const FeatureBatch val = embedded({4, 0, 0, 2, 9, 1, 1, 9}, {0, 1, 0, 1});
  EXPECT_EQ(ood_val_auroc(val, embedded({-1, -1, 1, 1}, {-1, -1}), 3), 1.0);  // class 2 has no image and no mean
  EXPECT_EQ(ood_val_auroc(val, embedded({1, 0, 0, 1}, {-1, -1}), 3), 0.0);
}

TEST(OodMonitor, SaysNothingWhereItCannot) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  EXPECT_EQ(ood_val_auroc(with_logits({0, 3}), with_logits({nan, 0}), 2), std::nullopt);
  EXPECT_EQ(ood_val_auroc(embedded({1, 0, 0, 1}, {0, 1}), embedded({1, 0}, {-1}), 2), std::nullopt);  // no second half
}

}  // namespace
}  // namespace nearfar
