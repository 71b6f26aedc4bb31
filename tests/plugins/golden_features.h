#pragma once
/// OpenOOD's own scores on the features of a trained net (golden/features-a), and the comparison with ours.
#include "common.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/empty.h>

namespace nearfar::testing {

/// An image set and where it begins in the stored vectors (layout.json).
struct ImageSet {
  const char* folder;
  std::int64_t offset, count;
};
inline constexpr ImageSet kSets[] = {{"val", 0, 304},
                                     {"ood_val", 304, 150},
                                     {"test", 454, 600},
                                     {"csid/cifar10c", 1054, 100},
                                     {"near/cifar100", 1154, 150},
                                     {"near/tin", 1304, 150},
                                     {"far/mnist", 1454, 300},
                                     {"far/svhn", 1754, 100},
                                     {"far/texture", 1854, 150},
                                     {"far/places365", 2004, 150}};

inline FeatureBatch set(const std::filesystem::path& folder) {
  FeatureBatch batch = features(tensor(folder / "features.npy"), tensor(folder / "labels.npy"));
  batch.logits = tensor(folder / "logits.npy");
  return batch;
}

/// Ranks with ties averaged, as scipy.stats.rankdata.
inline at::Tensor ranks(const at::Tensor& values) {
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

inline double spearman(const at::Tensor& a, const at::Tensor& b) {
  const at::Tensor x = ranks(a), y = ranks(b), dx = x.sub(x.mean()), dy = y.sub(y.mean());
  return (dx.dot(dy).item<double>()) / std::sqrt(dx.dot(dx).item<double>() * dy.dot(dy).item<double>());
}

/// The bar of OpenOOD parity: 1e-4 of the largest score, rank correlation 0.9999 in each set, unless said otherwise.
inline void expect_openood_scores(const std::string& name, const ParamMap& params, const std::string& reference,
                                  double largest = 1e-4, double correlation = 0.9999) {
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
  for (const ImageSet& one : kSets) {
    const at::Tensor found = scorer.score(set(*folder / one.folder)), want = wanted.narrow(0, one.offset, one.count);
    ASSERT_EQ(found.numel(), one.count);
    worst = std::max(worst, found.sub(want).abs().max().item<double>() / scale);
    EXPECT_GE(spearman(found, want), correlation) << one.folder;
  }
  EXPECT_LE(worst, largest);
  ::testing::Test::RecordProperty("largest_difference", std::to_string(worst));
}

}  // namespace nearfar::testing
