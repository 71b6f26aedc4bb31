// relation: the sum of kernels with all train images.
#include "golden_features.h"
#include "toy_problem.h"

#include <ATen/ops/full.h>
#include <ATen/ops/isfinite.h>

namespace nearfar::testing {
namespace {

FeatureBatch batch_of(const at::Tensor& raw, const at::Tensor& logits) {
  FeatureBatch batch = features(raw);
  batch.logits = logits;
  return batch;
}

TEST(Relation, HandWorked) {
  // One train image along (3, 4) with probabilities 1/2, 1/2. Probabilities of the queries are 1/2, 1/2 too: p.p = 1/2.
  FitContext context;
  context.train = batch_of(matrix({3, 4}, 1), matrix({0, 0}, 1));
  context.classes = 2;
  // (6, 8): same direction, 1/2. (1, 0): cosine 3/5, 0.3. (-4, 3.3): cosine 1.2 / 25.9, product 0.023, too little. (-3,
  // -4): none.
  const FeatureBatch queries = batch_of(matrix({6, 8, 1, 0, -4, 3.3F, -3, -4}, 4), at::full({4, 2}, 7.0));
  for (const double power : {1.0, 2.0, 0.5}) {
    PostprocessorHandle scorer = postprocessor("relation", {{"pow", power}});
    scorer.fit(context);
    expect_near(scorer.score(queries), {-std::pow(0.5, power), -std::pow(0.3, power), 0, 0}, 1e-6);
  }
}

TEST(Relation, OpenOodsToyScores) {
  const auto compare = [](double power, std::vector<double> conf) {
    PostprocessorHandle scorer = postprocessor("relation", {{"pow", power}});
    scorer.fit(context());
    const at::Tensor found = scorer.score(test_rows());
    for (std::size_t i = 0; i < conf.size(); ++i)
      EXPECT_NEAR(found[static_cast<std::int64_t>(i)].item<double>(), -conf[i], 2e-5 * std::abs(conf[i]));
  };
  compare(1, {4.54851, 4.20566, 3.46391, 4.68191, 5.47998});
  compare(4, {0.0381207, 0.0496974, 0.0217797, 0.0610051, 0.111249});
}

TEST(Relation, GoldenScores) {
  expect_openood_scores("relation", {}, "relation.hp_1");
  expect_openood_scores("relation", {{"pow", 4.0}}, "relation.hp_4");
  expect_openood_scores("relation", {{"pow", 8.0}}, "relation.main");
}

TEST(Relation, IsTheSameInTiles) {
  // More train images than a tile holds, each 4099 times: 4099 times the relations of the three.
  FitContext few, many;
  few.train = batch_of(matrix({3, 4, 1, 1, 0, 2}, 3), matrix({1, 0, 0, 0, 0, 1}, 3));
  few.classes = many.classes = 2;
  many.train = batch_of(few.train.features.repeat({4099, 1}), few.train.logits.repeat({4099, 1}));
  PostprocessorHandle three = postprocessor("relation"), thousands = postprocessor("relation");
  three.fit(few);
  thousands.fit(many);
  const FeatureBatch queries = batch_of(at::randn({600, 2}), at::randn({600, 2}));  // more than a block
  EXPECT_LE(relative_difference(thousands.score(queries), three.score(queries).mul(4099)), 1e-5);
}

TEST(Relation, KeepsTheContractOfScore) {
  PostprocessorHandle scorer = postprocessor("relation");
  scorer.fit(context());
  expect_rows_independent(scorer, with_logits(at::randn({11, 8}).abs(), head()), 1e-5);
  for (const double value : {0.0, 1.0, -1.0, 1e4, 1e30})
    EXPECT_TRUE(at::isfinite(scorer.score(with_logits(at::full({2, 8}, value), head()))).all().item<bool>()) << value;
}

}  // namespace
}  // namespace nearfar::testing
