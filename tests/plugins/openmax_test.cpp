// openmax and the Weibull tail it fits.
#include "../../plugins/common/weibull.h"
#include "base/files.h"
#include "golden_features.h"
#include "toy_problem.h"

#include <ATen/ops/full.h>
#include <ATen/ops/isfinite.h>
#include <nlohmann/json.hpp>

namespace nearfar::testing {
namespace {

using common::fit_weibull_tail;
using common::WeibullTail;

TEST(WeibullTail, OfTwoValuesHasAClosedForm) {
  // Shifted: 1 and 2. With p = 2^k the shape equation is ln 2 (p - 1) / (2 (p + 1)) = 1/k: s tanh s = 1 for s = k ln 2
  // / 2.
  const double s = 1.1996786402577338, k = 2 * s / std::log(2.0);
  const WeibullTail tail = fit_weibull_tail(std::vector<double>{6, 7});
  EXPECT_NEAR(tail.shape, k, 1e-12);
  EXPECT_NEAR(tail.scale, std::pow((1 + std::exp(2 * s)) / 2, 1 / k), 1e-12);
  EXPECT_EQ(tail.smallest, 6);
  EXPECT_EQ(tail.cdf(5), 0);
  EXPECT_EQ(tail.cdf(-1e300), 0);
  EXPECT_NEAR(tail.cdf(8), 1 - std::exp(-std::pow(3 / tail.scale, k)), 1e-12);
  EXPECT_EQ(tail.cdf(1e300), 1);
}

TEST(WeibullTail, WithoutTwoDifferentValuesIsZeroEverywhere) {
  for (const auto& values : std::vector<std::vector<double>>{{}, {3}, {3, 3, 3}, {3, 3 + 4e-16}}) {
    const WeibullTail tail = fit_weibull_tail(values);
    EXPECT_EQ(tail.cdf(1e9), 0) << values.size();
  }
}

TEST(WeibullTail, FitsNearlyEqualAndWidelySpreadValues) {
  for (const auto& values : std::vector<std::vector<double>>{{3, 3, 3, 3 + 1e-6}, {0, 1e-3, 1e40}, {1e30, 2e30}}) {
    const WeibullTail tail = fit_weibull_tail(values);
    EXPECT_TRUE(std::isfinite(tail.scale) && std::isfinite(tail.shape) && tail.shape > 0);
    EXPECT_GT(tail.cdf(values.back() + 1), 0.5);
  }
}

TEST(WeibullTail, IsLibMrs) {
  const auto results = golden("features-a-expected/results.json");
  if (!results) GTEST_SKIP() << "no golden features-a; set NEARFAR_GOLDEN";
  for (const auto& fitted : nlohmann::json::parse(read_file(*results))["openmax"]["fit"]["weibull"]) {
    const auto wanted = fitted["params_scale_shape_sign_translate_score"].get<std::vector<double>>();
    const WeibullTail tail = fit_weibull_tail(fitted["tail"].get<std::vector<double>>());
    EXPECT_NEAR(tail.scale, wanted[0], 1e-6 * wanted[0]);  // libMR stops at 1e-6
    EXPECT_NEAR(tail.shape, wanted[1], 1e-6 * wanted[1]);
    EXPECT_EQ(tail.smallest, wanted[4]);
  }
}

FitContext trained(const at::Tensor& logits, const std::vector<std::int64_t>& its_labels) {
  FitContext context;
  context.train.logits = logits;
  context.train.labels = labels(its_labels);
  context.classes = logits.size(1);
  return context;
}
FeatureBatch of_logits(const at::Tensor& logits) {
  FeatureBatch batch;
  batch.logits = logits;
  return batch;
}

TEST(OpenMax, HandWorked) {
  // Class 0: rows 4, 5, 9 are classified correctly, their mean is 6 and the two largest distances 3 and 2: shifted 2
  // and 1. The fourth row is not, and class 1 has no correct row at all: its weight is 0.
  PostprocessorHandle scorer = postprocessor("openmax", {{"tail", std::int64_t{2}}, {"alpha", std::int64_t{1}}});
  scorer.fit(trained(matrix({4, 0, 5, 0, 9, 0, 1, 3, 2, 0}, 5), {0, 0, 0, 0, 1}));
  const double p = std::exp(2 * 1.1996786402577338), k = std::log(p) / std::log(2.0);
  // (6.5, 1): distance sqrt(1/4 + 1) = 1.118 from (6, 0), shifted 0.118; (10, 0): distance 4, shifted 3; (0, 2) is
  // class 1's.
  const auto wanted = [&](double top, double other, double shifted) {
    const double w = 1 - std::exp(-std::pow(shifted, k) * 2 / (1 + p));
    return std::exp(top * w) / (std::exp(top * (1 - w)) + std::exp(other) + std::exp(top * w));
  };
  const double nearly = std::sqrt(1.25) - 1;
  expect_near(scorer.score(of_logits(matrix({6.5, 1, 10, 0, 0, 2}, 3))),
              {wanted(6.5, 1, nearly), wanted(10, 0, 3), 1 / (std::exp(2.0) + 2)}, 1e-6);
}

TEST(OpenMax, TheRanksWeighLess) {
  // Both classes have the tail 1, 2 (as above); alpha 3 of 2 classes: omega is 1 and 2/3.
  PostprocessorHandle scorer = postprocessor("openmax", {{"tail", std::int64_t{2}}});
  scorer.fit(trained(matrix({4, 0, 5, 0, 9, 0, 0, 4, 0, 5, 0, 9}, 6), {0, 0, 0, 1, 1, 1}));
  const double p = std::exp(2 * 1.1996786402577338), k = std::log(p) / std::log(2.0);
  const auto w = [&](double distance) { return 1 - std::exp(-std::pow(distance - 1, k) * 2 / (1 + p)); };
  const double w0 = w(std::hypot(9 - 6, 3)), w1 = w(std::hypot(9, 3 - 6)) * 2 / 3, u = 9 * w0 + 3 * w1;
  expect_near(scorer.score(of_logits(matrix({9, 3}, 1))),
              {std::exp(u) / (std::exp(9 - 9 * w0) + std::exp(3 - 3 * w1) + std::exp(u))}, 1e-6);
}

TEST(OpenMax, GoldenScores) { expect_openood_scores("openmax", {}, "openmax.main"); }

TEST(OpenMax, KeepsTheContractOfScore) {
  PostprocessorHandle scorer = postprocessor("openmax");
  scorer.fit(context());
  expect_rows_independent(scorer, with_logits(at::randn({11, 8}).abs(), head()), 1e-6);
  for (const double value : {0.0, 1.0, 88.8, -1e4, 1e30, -1e30})
    EXPECT_TRUE(at::isfinite(scorer.score(of_logits(at::full({2, 3}, value)))).all().item<bool>()) << value;
}

TEST(OpenMax, ConstantLogitsAndOneClassAreFinite) {
  PostprocessorHandle constant = postprocessor("openmax"), one = postprocessor("openmax");
  constant.fit(trained(at::full({6, 3}, 2.0), {0, 1, 2, 0, 1, 2}));
  expect_near(constant.score(of_logits(at::full({1, 3}, 0.0))), {0.25}, 1e-7);  // no weights: 1 / (3 e^0 + 1)
  one.fit(trained(matrix({1, 2, 3, 5}, 4), {0, 0, 0, 0}));
  EXPECT_EQ(one.score(of_logits(matrix({1, 9}, 2))).numel(), 2);
}

TEST(OpenMax, RefusesATrainSetWithoutImages) {
  EXPECT_THROW(postprocessor("openmax").fit(trained(at::empty({0, 3}), {})), Error);
}

}  // namespace
}  // namespace nearfar::testing
