#include "../host/expect_error.h"
#include "common.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/linalg_inv.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/stack.h>

namespace nearfar::testing {
namespace {

PostprocessorHandle fitted(const at::Tensor& train, const at::Tensor& its_labels, std::int64_t classes,
                           bool normalize = false) {
  PostprocessorHandle mds = postprocessor("mds", {{"normalize", normalize}});
  FitContext context;
  context.train = features(train, its_labels);
  context.classes = classes;
  mds.fit(context);
  return mds;
}

TEST(Mds, IsTheMahalanobisDistanceToTheNearestClass) {
  // Class 0 at (+-2, +-1) around (0,0), class 1 the same around (10,0): the shared covariance is diag(4, 1).
  const at::Tensor train = matrix({2, 1, 2, -1, -2, 1, -2, -1, 12, 1, 12, -1, 8, 1, 8, -1}, 8);
  const PostprocessorHandle mds = fitted(train, labels({0, 0, 0, 0, 1, 1, 1, 1}), 2);
  // (0,0): 0. (4,0): 16/4 from class 0, 36/4 from class 1. (10,3): 9/1 from class 1. (6,2): 16/4 + 4 from class 1.
  expect_near(mds.score(features(matrix({0, 0, 4, 0, 10, 3, 6, 2}, 4))), {0, 4, 9, 8}, 1e-5);
}

TEST(Mds, DropsDirectionsWithoutVariance) {
  // The second coordinate is constant: its eigenvalue is 0, and pinvh takes no account of it.
  const at::Tensor train = matrix({1, 5, -1, 5, 1, 5, -1, 5}, 4);
  expect_near(fitted(train, labels({0, 0, 0, 0}), 1).score(features(matrix({3, 5, 3, 7}, 2))), {9, 9}, 1e-5);
}

TEST(Mds, NormalizesWhenAsked) {
  const at::Tensor train = at::randn({60, 5}), its_labels = at::randint(0, 3, {60}, at::TensorOptions(at::kLong)),
                   query = at::randn({9, 5});
  const at::Tensor by_hand = fitted(normalized(train), its_labels, 3).score(features(normalized(query)));
  EXPECT_LE(relative_difference(fitted(train, its_labels, 3, true).score(features(query)), by_hand), 1e-5);
  EXPECT_LE(relative_difference(fitted(train, its_labels, 3, true).score(features(query.mul(100))), by_hand), 1e-5);
}

TEST(Mds, EqualsTheTextbookFormBeyondOneBlock) {  // more train rows than a block of 4096
  const at::Tensor its_labels = at::randint(0, 4, {9000}, at::TensorOptions(at::kLong));
  const at::Tensor train = at::randn({9000, 6}).add_(its_labels.toType(at::kFloat).mul(3).unsqueeze(1)),
                   query = at::randn({5000, 6}).mul_(4);
  std::vector<at::Tensor> means, centred;
  for (std::int64_t c = 0; c < 4; ++c) {
    const at::Tensor own = train.index_select(0, its_labels.eq(c).nonzero().squeeze(1)).toType(at::kDouble);
    means.push_back(own.mean(0));
    centred.push_back(own.sub(own.mean(0)));
  }
  const at::Tensor all = at::cat(centred), precision = at::linalg_inv(all.t().mm(all).div(9000));
  std::vector<at::Tensor> distances;
  for (const at::Tensor& mean : means) {
    const at::Tensor away = query.toType(at::kDouble).sub(mean);
    distances.push_back(away.mm(precision).mul(away).sum(1));
  }
  const at::Tensor wanted = at::stack(distances).amin(0);
  EXPECT_LE(relative_difference(fitted(train, its_labels, 4).score(features(query)), wanted), 1e-6);
}

TEST(Mds, IgnoresAClassWithoutImages) {
  const at::Tensor train = at::randn({40, 3}), its_labels = at::randint(0, 2, {40}, at::TensorOptions(at::kLong)),
                   query = at::randn({8, 3});
  EXPECT_TRUE(
      fitted(train, its_labels, 5).score(features(query)).equal(fitted(train, its_labels, 2).score(features(query))));
}

TEST(Mds, StaysFiniteForConstantAndHugeFeatures) {
  EXPECT_TRUE(fitted(at::ones({6, 3}), labels({0, 0, 0, 1, 1, 1}), 2)
                  .score(features(at::randn({4, 3})))
                  .isfinite()
                  .all()
                  .item<bool>());
  const PostprocessorHandle mds = fitted(at::randn({50, 3}), at::randint(0, 2, {50}, at::TensorOptions(at::kLong)), 2);
  EXPECT_TRUE(mds.score(features(at::randn({4, 3}).mul(1e37))).isfinite().all().item<bool>());
}

TEST(Mds, RefusesUnusableTrainSets) {
  EXPECT_ERROR(fitted(at::ones({2, 3}), {}, 2), ErrorKind::data, "mds", "no labels");
  EXPECT_ERROR(fitted(at::ones({2, 3}), labels({0, 2}), 2), ErrorKind::data, "run from 0 to 2; expected 0 to 1");
  EXPECT_ERROR(fitted(at::ones({0, 3}), labels({}), 2), ErrorKind::data, "no train images");
}

TEST(Mds, ScoresRowsIndependently) {
  const PostprocessorHandle mds =
      fitted(at::randn({200, 12}), at::randint(0, 4, {200}, at::TensorOptions(at::kLong)), 4);
  expect_rows_independent(mds, features(at::randn({19, 12})), 1e-6);
}

}  // namespace
}  // namespace nearfar::testing
