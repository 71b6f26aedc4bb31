#include "../../plugins/common/kth_distance.h"
#include "../host/expect_error.h"
#include "common.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/cdist.h>
#include <ATen/ops/eye.h>
#include <ATen/ops/linspace.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/zeros.h>

#include <cmath>
#include <tuple>

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

TEST(Knn, EqualsAFullSortBeyondOneTile) {  // a part of a tile of 512 queries, more train images than a tile of 2048
  const at::Tensor train = at::randn({5000, 8}), query = at::randn({300, 8});
  const at::Tensor distances =
      at::cdist(normalized(query).toType(at::kDouble), normalized(train).toType(at::kDouble)).square();
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

TEST(Knn, ScoresRowsIndependently) {
  expect_rows_independent(fitted(at::randn({200, 16}), 10), features(at::randn({17, 16})), 1e-5);
}

TEST(Knn, EqualsAFullSortAtTheBordersOfTiles) {  // 2048 train images and at most 512 queries a tile
  for (const auto& [train_rows, query_rows, width] :
       {std::tuple{2047, 511, 3}, {2048, 512, 1}, {2049, 513, 2}, {31, 1, 5}, {4128, 513, 4}}) {
    const at::Tensor train = at::randn({train_rows, width}), query = at::randn({query_rows, width});
    const at::Tensor distances =
        at::cdist(normalized(query).toType(at::kDouble), normalized(train).toType(at::kDouble)).square();
    for (const std::int64_t k : {1, 31, train_rows}) {
      const at::Tensor wanted = std::get<0>(distances.kthvalue(k, 1));
      EXPECT_LE(fitted(train, k).score(features(query)).sub(wanted).abs().max().item<double>(), 2e-6)
          << train_rows << " rows, k = " << k;
    }
  }
}

TEST(Knn, FindsNeighboursInAnyOrderOfTheBank) {  // the best last: every tile has something to keep
  const at::Tensor angles = at::linspace(3.1, 0.1, 5000), train = at::stack({angles.cos(), angles.sin()}, 1);
  const FeatureBatch query = features(matrix({1, 0}, 1));
  for (const std::int64_t k : {1, 64, 3000}) {
    const double angle = angles[5000 - k].item<double>();
    expect_near(fitted(train, k).score(query), {2 - 2 * std::cos(angle)}, 2e-6);
    expect_near(fitted(train.flip(0).contiguous(), k).score(query), {2 - 2 * std::cos(angle)}, 2e-6);
  }
}

TEST(Knn, CountsDuplicatesBeyondK) {  // 3000 times the same image, then one that is farther
  const at::Tensor train = at::cat({matrix({1, 0}, 1).expand({3000, 2}), matrix({0, 1}, 1)});
  const FeatureBatch query = features(matrix({0, 1}, 1));
  expect_near(fitted(train, 1).score(query), {0}, 1e-6);
  expect_near(fitted(train, 2).score(query), {2}, 1e-6);
  expect_near(fitted(train, 3001).score(query), {2}, 1e-6);
}

TEST(Knn, OfOneFeatureIsOneOfTwoDistances) {  // D = 1: a unit row is 1 or -1
  const at::Tensor train = matrix({5, 0.1F, -3}, 3);
  const FeatureBatch query = features(matrix({2, -9}, 2));
  expect_near(fitted(train, 1).score(query), {0, 0}, 1e-6);
  expect_near(fitted(train, 2).score(query), {0, 4}, 1e-6);
  expect_near(fitted(train, 3).score(query), {4, 4}, 1e-6);
}

TEST(Knn, DoesNotCareForTheLengthOfFeatures) {
  const at::Tensor train = at::randn({300, 20}), query = at::randn({10, 20});
  const at::Tensor wanted = fitted(train, 7).score(features(query));
  for (const double scale : {1e-8, 1e18, 1e30, 1e37}) {
    EXPECT_LE(fitted(train.mul(scale), 7).score(features(query.mul(scale))).sub(wanted).abs().max().item<double>(),
              2e-6)
        << scale;
  }
}

TEST(Knn, TensorOperationsOfAnyDeviceGiveTheSame) {
  const at::Tensor train = at::randn({40000, 6}), query = common::unit_rows(at::randn({20, 6}));
  const common::UnitBank bank(train);
  for (const std::int64_t k : {1, 50, 20000, 40000}) {
    EXPECT_LE(bank.kth_on_device(query, k).sub(bank.kth_on_cpu(query, k)).abs().max().item<double>(), 1e-6)
        << "k = " << k;
  }
}

}  // namespace
}  // namespace nearfar::testing
