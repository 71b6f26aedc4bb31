#include <ATen/ops/cdist.h>
#include <ATen/ops/eye.h>
#include <ATen/ops/zeros.h>

#include "../host/expect_error.h"
#include "common.h"

namespace nearfar::testing {
namespace {

PostprocessorHandle fitted(const at::Tensor& train, std::int64_t k) {
  PostprocessorHandle knn = postprocessor("knn", {{"k", k}});
  FitContext context;
  context.train = features(train);
  knn.fit(context);
  return knn;
}

TEST(Knn, IsTheSquaredDistanceToTheKthNeighbour) {
  // On the unit circle: train at 0, 90, 180 degrees; a query at 0 has squared distances 0, 2, 4.
  const at::Tensor train = matrix({3, 0, 0, 2, -1, 0}, 3);
  const FeatureBatch query = features(matrix({7, 0}, 1));
  expect_near(fitted(train, 1).score(query), {0}, 1e-6);
  expect_near(fitted(train, 2).score(query), {2}, 1e-6);
  expect_near(fitted(train, 3).score(query), {4}, 1e-6);
}

TEST(Knn, CountsRepeatedImages) {
  const at::Tensor train = matrix({1, 0, 1, 0, 1, 0, 0, 1}, 4);
  const FeatureBatch query = features(matrix({1, 0}, 1));
  expect_near(fitted(train, 3).score(query), {0}, 1e-6);
  expect_near(fitted(train, 4).score(query), {2}, 1e-6);
}

TEST(Knn, EqualsAFullSortBeyondOneTile) {  // more queries than a tile of 256, more train images than a tile of 4096
  const at::Tensor train = at::randn({5000, 8}), query = at::randn({300, 8});
  const at::Tensor distances = at::cdist(normalized(query).toType(at::kDouble), normalized(train).toType(at::kDouble)).square();
  for (const std::int64_t k : {1, 50, 777, 5000}) {
    const at::Tensor wanted = std::get<0>(distances.kthvalue(k, 1));
    EXPECT_LE(fitted(train, k).score(features(query)).sub(wanted).abs().max().item<double>(), 2e-6) << "k = " << k;
  }
}

TEST(Knn, IsNeverNegative) {
  const at::Tensor train = at::randn({64, 33});
  EXPECT_GE(fitted(train, 1).score(features(train)).min().item<float>(), 0.0F);
}

TEST(Knn, ScoresAZeroFeature) {  // OpenOOD gives NaN; a zero row is at squared distance 1 from every unit row
  expect_near(fitted(at::eye(4), 2).score(features(at::zeros({1, 4}))), {1}, 1e-6);
}

TEST(Knn, RefusesMoreNeighboursThanTrainImages) {
  EXPECT_ERROR(fitted(at::eye(4), 5), ErrorKind::config, "knn", "k is 5", "4 train images");
}

TEST(Knn, ScoresRowsIndependently) { expect_rows_independent(fitted(at::randn({200, 16}), 10), features(at::randn({17, 16})), 1e-5); }

TEST(Knn, KeepsNothingOfWhatItWasFittedOn) {
  const at::Tensor train = at::randn({20, 4});
  const FeatureBatch batch = features(train), query = features(at::randn({3, 4}));
  PostprocessorHandle knn = postprocessor("knn", {{"k", std::int64_t{2}}});
  FitContext context;
  context.train = batch;
  knn.fit(context);
  const at::Tensor before = knn.score(query);
  batch.normalized.zero_();
  EXPECT_TRUE(knn.score(query).equal(before));
}

}  // namespace
}  // namespace nearfar::testing
