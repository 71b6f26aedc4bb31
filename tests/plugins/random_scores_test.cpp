// dropout and random: scores from counter-based random numbers, so that they are a function of seed and image alone.
#include "golden_features.h"
#include "toy_problem.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/full.h>

#include <set>

namespace nearfar::testing {
namespace {

using I = std::int64_t;

PostprocessorHandle fitted(const std::string& name, const ParamMap& params, const HeadWeights& linear) {
  PostprocessorHandle scorer = postprocessor(name, params);
  FitContext on;
  on.head = linear;
  scorer.fit(on);
  return scorer;
}

/// Share of pairs in which b is the larger, ties one half.
double auroc(const at::Tensor& a, const at::Tensor& b) {
  const at::Tensor both = at::cat({a, b});
  const double rank_sum = ranks(both).narrow(0, a.numel(), b.numel()).sum().item<double>();
  const auto n = static_cast<double>(a.numel()), m = static_cast<double>(b.numel());
  return (rank_sum - m * (m - 1) / 2) / (n * m);
}

/// One feature, two classes, logits (h, 0): kept with p = 1/2 the feature counts twice.
const HeadWeights& two_classes() {
  static const HeadWeights linear{matrix({1, 0}, 2), matrix({0, 0}, 1).squeeze(0)};
  return linear;
}

TEST(Dropout, KeepsOrDropsAFeatureInOnePass) {
  // Kept: logits (ln 3, 0), probability 3/4. Dropped: (0, 0), 1/2. 2000 rows that differ in the last places: about half
  // of each.
  const at::Tensor raw = at::arange(2000, at::TensorOptions(at::kFloat)).mul(1e-7).add(std::log(3.0) / 2).unsqueeze(1);
  const at::Tensor scores = fitted("dropout", {{"dropout_times", I{1}}}, two_classes()).score(features(raw));
  const at::Tensor kept = scores.add(0.75).abs().lt(1e-3), dropped = scores.add(0.5).abs().lt(1e-3);
  EXPECT_EQ(kept.sum().item<I>() + dropped.sum().item<I>(), 2000);
  EXPECT_NEAR(kept.sum().item<double>(), 1000, 110);  // 5 standard deviations
}

TEST(Dropout, DropsWithTheProbabilityGiven) {
  const at::Tensor raw = at::arange(4000, at::TensorOptions(at::kFloat)).add(1).unsqueeze(1);
  for (const double p : {0.1, 0.9}) {
    const at::Tensor scores =
        fitted("dropout", {{"dropout_times", I{1}}, {"dropout_p", p}}, two_classes()).score(features(raw));
    EXPECT_NEAR(scores.eq(-0.5).sum().item<double>() / 4000, p, 0.024) << p;  // 5 standard deviations
  }
}

TEST(Dropout, WithoutDroppingIsMsp) {
  for (const char* masks : {"row", "shared"}) {
    const at::Tensor found =
        fitted("dropout", {{"dropout_p", 0.0}, {"masks", std::string(masks)}}, head()).score(test_rows());
    EXPECT_LE(relative_difference(found, postprocessor("msp").score(test_rows())), 1e-6);
  }
}

TEST(Dropout, ManyPassesConvergeToTheUndisturbedLogits) {
  // The head is linear: the mean of its logits under dropout is the logits. 5000 passes leave 1/70 of a feature's
  // share.
  const at::Tensor wanted = postprocessor("msp").score(test_rows());
  for (const char* masks : {"row", "shared"}) {
    const ParamMap params{{"dropout_times", I{5000}}, {"masks", std::string(masks)}};
    const at::Tensor found = fitted("dropout", params, head()).score(test_rows());
    EXPECT_LE(found.sub(wanted).abs().max().item<double>(), 0.04) << masks;
    const ParamMap few{{"dropout_times", I{1}}, {"masks", std::string(masks)}};
    EXPECT_GE(fitted("dropout", few, head()).score(test_rows()).sub(wanted).abs().max().item<double>(), 0.04) << masks;
  }
}

TEST(Dropout, SharedMasksAreOneHeadForAllRows) {
  // Five passes keep the only feature 0 to 5 times: whichever it is, it is the same for every row, and logits are
  // proportional to h.
  const at::Tensor raw = at::arange(1, 200, at::TensorOptions(at::kFloat)).mul(0.01).unsqueeze(1);
  const at::Tensor p = fitted("dropout", {{"masks", std::string("shared")}}, two_classes()).score(features(raw)).neg();
  const at::Tensor slope = p.div(p.neg().add(1)).log().div(raw.squeeze(1));
  EXPECT_LE(slope.sub(slope[0]).abs().max().item<double>(), 1e-3);
  const double kept = slope[150].item<double>() * 2.5;
  EXPECT_NEAR(kept, std::round(kept), 1e-3);
}

TEST(Dropout, AnotherSeedMeansOtherMasks) {
  for (const char* masks : {"row", "shared"}) {
    const auto scores = [&](I seed) {
      return fitted("dropout", {{"seed", seed}, {"masks", std::string(masks)}}, head()).score(test_rows());
    };
    EXPECT_TRUE(scores(1).equal(scores(1)));
    EXPECT_FALSE(scores(1).equal(scores(2)));
  }
}

TEST(Random, IsUniform) {
  const at::Tensor scores =
      postprocessor("random").score(features(at::arange(10000, at::TensorOptions(at::kFloat)).unsqueeze(1)));
  EXPECT_GE(scores.min().item<double>(), 0);
  EXPECT_LT(scores.max().item<double>(), 1);
  const at::Tensor tenths = scores.mul(10).floor().toType(at::kLong).bincount({}, 10);
  EXPECT_GE(tenths.min().item<I>(), 850);  // 1000 each; 5 standard deviations are 150
  EXPECT_LE(tenths.max().item<I>(), 1150);
}

TEST(Random, KnowsNothingOfTheData) {
  // Two sets that any method tells apart: 4000 each, so that a standard deviation of the AUROC is 0.0065.
  const at::Tensor id = at::randn({4000, 5}), ood = at::randn({4000, 5}).add(100);
  const PostprocessorHandle random = postprocessor("random");
  EXPECT_NEAR(auroc(random.score(features(id)), random.score(features(ood))), 0.5, 0.033);
}

TEST(Random, DependsOnEveryBitOfARowAndOnTheSeed) {
  const at::Tensor row = at::full({1, 7}, 1.5F);
  std::set<float> scores;
  const auto add = [&](const at::Tensor& raw, I seed) {
    scores.insert(postprocessor("random", {{"seed", seed}}).score(features(raw)).item<float>());
  };
  add(row, 0);
  add(row, 0);
  EXPECT_EQ(scores.size(), 1U);
  add(row, 1);
  for (I j = 0; j < 7; ++j) {
    at::Tensor changed = row.clone();
    changed.index_fill_(1, labels({j}), std::nextafter(1.5F, 2.0F));
    add(changed, 0);
  }
  at::Tensor permuted = row.clone();
  permuted.index_fill_(1, labels({0}), 2.5F);
  add(permuted, 0);
  add(permuted.flip({1}), 0);
  EXPECT_EQ(scores.size(), 11U);
}

TEST(Random, OfRealFeaturesIsAboutFifty) {
  const auto folder = golden("features-a");
  if (!folder) GTEST_SKIP() << "no golden features-a; set NEARFAR_GOLDEN";
  const PostprocessorHandle random = postprocessor("random");
  const at::Tensor id = random.score(set(*folder / "test"));
  for (const ImageSet& one : kSets) {
    if (std::string(one.folder) == "test") continue;
    // A standard deviation is sqrt((n + m + 1) / (12 n m)): 0.031 for 600 and 100 images.
    EXPECT_NEAR(auroc(id, random.score(set(*folder / one.folder))), 0.5, 0.125) << one.folder;
  }
}

}  // namespace
}  // namespace nearfar::testing
