// vim and residual: what lies outside the main directions of the features.
#include "golden_features.h"
#include "toy_problem.h"

#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/full.h>
#include <ATen/ops/isfinite.h>

namespace nearfar::testing {
namespace {

using I = std::int64_t;

/// W = 1, b = (-1, -2): all logits are 0 at (1, 2). Seen from there, rows are (+-2, +-1/2): the main direction is the
/// first axis.
FitContext plane() {
  FitContext result;
  result.head = {matrix({1, 0, 0, 1}, 2), matrix({-1, -2}, 1).squeeze(0)};
  result.train = result.val =
      with_logits(matrix({3, 2.5, -1, 2.5, 3, 1.5, -1, 1.5}, 4), result.head, labels({0, 1, 0, 1}));
  result.classes = 2;
  return result;
}

TEST(Residual, HandWorked) {
  PostprocessorHandle scorer = postprocessor("residual", {{"dim", I{1}}});
  scorer.fit(plane());
  expect_near(scorer.score(with_logits(matrix({7, 5, 100, 2, 1, 1}, 3), plane().head)), {3, 0, 1}, 1e-6);
}

TEST(Residual, FitsOnValidationImagesUnlessAskedForTrain) {
  FitContext turned = plane();  // train varies along the second axis
  turned.train.features = matrix({1.5, 4, 1.5, 0, 0.5, 4, 0.5, 0}, 4);
  const FeatureBatch batch = with_logits(matrix({7, 5}, 1), turned.head);
  PostprocessorHandle val = postprocessor("residual", {{"dim", I{1}}}),
                      train = postprocessor("residual", {{"dim", I{1}}, {"fit", std::string("train")}});
  val.fit(turned);
  train.fit(turned);
  expect_near(val.score(batch), {3}, 1e-6);
  expect_near(train.score(batch), {6}, 1e-6);
}

TEST(Residual, NothingIsOutsideAllDirections) {
  PostprocessorHandle scorer = postprocessor("residual");  // dim 512 of 2
  scorer.fit(plane());
  expect_near(scorer.score(with_logits(matrix({7, 5, 1, 1}, 2), plane().head)), {0, 0}, 0);
}

TEST(Vim, HandWorked) {
  // Largest logits of the train rows: 2, 1/2, 2, -1/2, mean 1; residuals all 1/2: alpha = 2. (7, 5): residual 3, logits
  // (6, 3).
  PostprocessorHandle scorer = postprocessor("vim", {{"dim", I{1}}});
  scorer.fit(plane());
  expect_near(scorer.score(with_logits(matrix({7, 5}, 1), plane().head)),
              {2 * 3 - std::log(std::exp(6.0) + std::exp(3.0))}, 1e-5);
}

TEST(Vim, RefusesADimThatLeavesNothing) {
  try {
    postprocessor("vim", {{"dim", I{2}}}).fit(plane());
    FAIL() << "accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::config);
    EXPECT_NE(std::string(error.what()).find("2 dimensions"), std::string::npos) << error.what();
  }
}

// By numpy in float64. OpenOOD's own figures for the toy problem are noise: the head's rows depend on each other, and
// the singular value that float32 leaves (5.7e-8) puts its u a million away.
TEST(Subspace, ToyScores) {
  const auto compare = [](const char* name, const std::vector<double>& wanted) {
    PostprocessorHandle scorer = postprocessor(name, {{"dim", I{4}}});
    scorer.fit(context());
    expect_near(scorer.score(test_rows()), wanted, 2e-6);
  };
  compare("vim",
          {1.0456612813922301, -0.4270187066740645, -0.7445334167285049, -1.0253413700091965, 0.9613439576166656});
  compare("residual",
          {1.0850734356175111, 0.8801106384320603, 0.8240195129268809, 1.046860509645637, 1.186511387510917});
}

/// The same features with eight more that are always 0.
FitContext padded(const FitContext& narrow) {
  const auto pad = [](const at::Tensor& matrix) { return at::constant_pad_nd(matrix, {0, 8}); };
  FitContext result = narrow;
  for (FeatureBatch* batch : {&result.train, &result.val}) batch->features = pad(batch->features);
  result.head.weight = pad(narrow.head.weight);
  return result;
}

TEST(Subspace, IsTheSameFromEitherSide) {
  // Of 8 features less 4 directions, 4 remain and are projected upon; of 16 less 4, 12, so that the 4 are taken off
  // instead.
  for (const char* name : {"vim", "residual"}) {
    PostprocessorHandle inside = postprocessor(name, {{"dim", I{4}}}), outside = postprocessor(name, {{"dim", I{4}}});
    inside.fit(context());
    outside.fit(padded(context()));
    FeatureBatch wide = test_rows();
    wide.features = at::constant_pad_nd(wide.features, {0, 8});
    EXPECT_LE(relative_difference(outside.score(wide), inside.score(test_rows())), 1e-6) << name;
  }
}

// The reference's pinv and general eigensolver are float32's: a float64 recomputation differs from its scores by 3e-3
// as well.
TEST(Subspace, GoldenVim) {
  expect_openood_scores("vim", {}, "vim.main", 5e-3, 0.9995);
  for (const I dim : {64, 128, 256})
    expect_openood_scores("vim", {{"dim", dim}}, "vim.hp_" + std::to_string(dim), 5e-3, 0.9995);
}
TEST(Subspace, GoldenResidual) {
  expect_openood_scores("residual", {{"dim", I{256}}}, "residual.dim256", 5e-3, 0.9995);
}

TEST(Subspace, KeepsTheContractOfScore) {
  for (const char* name : {"vim", "residual"}) {
    for (const I dim : {2, 6}) {
      SCOPED_TRACE(name + std::to_string(dim));
      PostprocessorHandle scorer = postprocessor(name, {{"dim", dim}});
      scorer.fit(context());
      expect_rows_independent(scorer, with_logits(at::randn({11, 8}).abs(), head()), 1e-6);
      for (const double value : {0.0, 1.0, -1.0, 1e4, 1e30})
        EXPECT_TRUE(at::isfinite(scorer.score(with_logits(at::full({2, 8}, value), head()))).all().item<bool>())
            << value;
    }
  }
}

TEST(Subspace, ConstantFeaturesAreFinite) {
  FitContext constant = context();
  constant.train = constant.val = with_logits(at::full({24, 8}, 0.5), head(), constant.train.labels);
  for (const char* name : {"vim", "residual"}) {
    PostprocessorHandle scorer = postprocessor(name, {{"dim", I{4}}});
    scorer.fit(constant);
    EXPECT_TRUE(at::isfinite(scorer.score(test_rows())).all().item<bool>()) << name;
  }
}

}  // namespace
}  // namespace nearfar::testing
