// OpenOOD's own scores on the features of a trained net: golden/features-a.
#include <ATen/ops/arange.h>
#include <ATen/ops/empty.h>

#include "common.h"

namespace nearfar::testing {
namespace {

namespace fs = std::filesystem;

/// An image set and where it begins in the stored vectors (layout.json).
struct Set {
  const char* folder;
  std::int64_t offset, count;
};
constexpr Set kSets[] = {
    {"val", 0, 304},         {"ood_val", 304, 150},    {"test", 454, 600},      {"csid/cifar10c", 1054, 100}, {"near/cifar100", 1154, 150},
    {"near/tin", 1304, 150}, {"far/mnist", 1454, 300}, {"far/svhn", 1754, 100}, {"far/texture", 1854, 150},   {"far/places365", 2004, 150}};

FeatureBatch set(const fs::path& folder) {
  FeatureBatch batch = features(tensor(folder / "features.npy"), tensor(folder / "labels.npy"));
  batch.logits = tensor(folder / "logits.npy");
  return batch;
}

/// Ranks with ties averaged, as scipy.stats.rankdata.
at::Tensor ranks(const at::Tensor& values) {
  const auto [sorted, order] = values.sort(true, 0, false);
  at::Tensor result = at::empty({values.numel()}, at::TensorOptions(at::kDouble));
  for (std::int64_t first = 0; first < sorted.numel();) {
    std::int64_t last = first;
    while (last + 1 < sorted.numel() && sorted[last + 1].equal(sorted[first])) ++last;
    result.index_fill_(0, order.narrow(0, first, last - first + 1), static_cast<double>(first + last) / 2);
    first = last + 1;
  }
  return result;
}

double spearman(const at::Tensor& a, const at::Tensor& b) {
  const at::Tensor x = ranks(a), y = ranks(b), dx = x.sub(x.mean()), dy = y.sub(y.mean());
  return (dx.dot(dy).item<double>()) / std::sqrt(dx.dot(dx).item<double>() * dy.dot(dy).item<double>());
}

/// The bar of OpenOOD parity: 1e-4 of the largest score, rank correlation 0.9999 in each set, unless said otherwise.
void expect_openood_scores(const std::string& name, const ParamMap& params, const std::string& reference, double largest = 1e-4,
                           double correlation = 0.9999) {
  const auto folder = golden("features-a"), expected = golden("features-a-expected/" + reference + ".conf.npy");
  if (!folder || !expected) GTEST_SKIP() << "no golden features-a; set NEARFAR_GOLDEN";
  PostprocessorHandle scorer = postprocessor(name, params);
  FitContext context;
  context.train = set(*folder / "train");
  context.val = set(*folder / "val");
  context.head = {tensor(*folder / "head/weight.npy"), tensor(*folder / "head/bias.npy")};
  context.classes = context.head.weight.size(0);
  scorer.fit(context);
  const at::Tensor wanted = tensor(*expected).neg();
  const double scale = wanted.abs().max().item<double>();
  double worst = 0;
  for (const Set& one : kSets) {
    const at::Tensor found = scorer.score(set(*folder / one.folder)), want = wanted.narrow(0, one.offset, one.count);
    ASSERT_EQ(found.numel(), one.count);
    worst = std::max(worst, found.sub(want).abs().max().item<double>() / scale);
    EXPECT_GE(spearman(found, want), correlation) << one.folder;
  }
  EXPECT_LE(worst, largest);
  ::testing::Test::RecordProperty("largest_difference", std::to_string(worst));
}

TEST(GoldenScores, Msp) { expect_openood_scores("msp", {}, "msp.main"); }
TEST(GoldenScores, Knn) { expect_openood_scores("knn", {}, "knn.main"); }
TEST(GoldenScores, KnnOtherK) {
  expect_openood_scores("knn", {{"k", std::int64_t{5}}}, "knn.hp_5");
  expect_openood_scores("knn", {{"k", std::int64_t{200}}}, "knn.hp_200");
}
TEST(GoldenScores, Mds) { expect_openood_scores("mds", {}, "mds.main"); }
TEST(GoldenScores, MdsNormalizedIsReweightOod) { expect_openood_scores("mds", {{"normalize", true}}, "reweightood.main"); }
TEST(GoldenScores, Mls) { expect_openood_scores("mls", {}, "mls.main"); }
TEST(GoldenScores, Ebo) {
  expect_openood_scores("ebo", {}, "ebo.main");
  expect_openood_scores("ebo", {{"temperature", 10.0}}, "ebo.hp_10");
}
TEST(GoldenScores, Mcm) {
  expect_openood_scores("mcm", {}, "mcm.main");
  // Most images saturate within a few units of float32's last place below 1: LibTorch's exp differs in that place between AVX2 and AVX-512.
  expect_openood_scores("mcm", {{"tau", 0.1}}, "mcm.hp_0.1", 1e-6, 0.99);
}
TEST(GoldenScores, Gen) {  // (1 - p)^gamma makes much of the last place of p
  expect_openood_scores("gen", {{"gamma", 2.0}, {"m", std::int64_t{10}}}, "gen.main", 1e-3);
  expect_openood_scores("gen", {}, "gen.hp_0.1_100", 1e-3);
  expect_openood_scores("gen", {{"gamma", 0.5}, {"m", std::int64_t{5}}}, "gen.hp_0.5_5", 1e-3);
}
TEST(GoldenScores, GradNorm) { expect_openood_scores("gradnorm", {}, "gradnorm.main"); }
TEST(GoldenScores, React) {
  expect_openood_scores("react", {}, "react.hp_90");
  expect_openood_scores("react", {{"percentile", 99.0}}, "react.main");
}
TEST(GoldenScores, Vra) {
  expect_openood_scores("vra", {}, "vra.hp_90_10");
  expect_openood_scores("vra", {{"percentile_high", 99.0}, {"percentile_low", 1.0}}, "vra.main");
}
TEST(GoldenScores, Scale) {
  expect_openood_scores("scale", {}, "scale.hp_85");
  expect_openood_scores("scale", {{"percentile", 65.0}}, "scale.main");
}
TEST(GoldenScores, Ash) {
  expect_openood_scores("ash", {}, "ash.hp_90");
  expect_openood_scores("ash", {{"percentile", 65.0}}, "ash.hp_65");
  expect_openood_scores("ash", {{"percentile", 65.0}, {"variant", std::string("p")}}, "ash.ash_p_65");
  expect_openood_scores("ash", {{"percentile", 90.0}, {"variant", std::string("s")}}, "ash.ash_s_90");
}
TEST(GoldenScores, Nci) {
  expect_openood_scores("nci", {}, "nci.hp_0.0001");
  expect_openood_scores("nci", {{"alpha", 0.1}}, "nci.main");
}
TEST(GoldenScores, Fdbd) {
  expect_openood_scores("fdbd", {}, "fdbd.hp_true");
  expect_openood_scores("fdbd", {{"distance_as_normalizer", false}}, "fdbd.hp_false");
}
TEST(GoldenScores, She) {
  expect_openood_scores("she", {}, "she.main");
  expect_openood_scores("she", {{"metric", std::string("euclidean")}}, "she.euclidean");
  expect_openood_scores("she", {{"metric", std::string("cosine")}}, "she.cosine");
}
TEST(GoldenScores, Klm) { expect_openood_scores("klm", {}, "klm.main"); }
TEST(GoldenScores, TempScaling) { expect_openood_scores("temp-scaling", {}, "temp_scaling.main"); }
TEST(GoldenScores, NnGuide) {
  expect_openood_scores("nnguide", {}, "nnguide.main");
  expect_openood_scores("nnguide", {{"k", std::int64_t{10}}}, "nnguide.hp_10_0.01");
}
// The reference subtracts two float32 numbers of about 2e4.
TEST(GoldenScores, Rmds) { expect_openood_scores("rmds", {}, "rmds.main", 1e-3, 0.9995); }
TEST(GoldenScores, Dice) {
  expect_openood_scores("dice", {}, "dice.main");
  expect_openood_scores("dice", {{"p", 50.0}}, "dice.hp_50");
}

}  // namespace
}  // namespace nearfar::testing
