#pragma once
/// What adascale-a and adascale-l share: how strongly an image's features are scaled, by how stable they are when the
/// pixels that matter least are changed. Regmi 2025, arXiv:2503.08023.
#include "network_precision.h"
#include "npy_indices.h"
#include "python_random.h"
#include "top_share.h"

#include <nearfar/postprocessor.h>

#include <ATen/core/Tensor.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/searchsorted.h>
#include <ATen/ops/zeros_like.h>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace nearfar::common {

constexpr Param kAdaScaleParams[] = {
    {"percentile", "75-85", "", "LOW-HIGH: range of the share of features that does not count as large"},
    {"k1", 5.0, 0.0, 100.0, "percent of features, the largest, whose changed values are summed"},
    {"k2", 1.0, 0.0, 100.0, "percent of features, the largest, whose shifts are summed"},
    {"lmbda", 10.0, 0.0, 1e6, "weight of the shifts"},
    {"o", 0.05, 0.0, 1.0, "share of pixel values that is changed"},
    {"num_samples", 5000, 1, 2147483647, "validation images that the statistic is ranked among"},
    {"seed", 0, 0, 2147483647, "of the draw, where there are more"},
    {"picks", kNoFile, "a .npy of the validation rows to rank among, instead of a draw"},
    kPrecision};
constexpr char kAdaScaleObservedParams[] = "k1,k2,lmbda,o,precision";
constexpr char kAdaScaleSweep[] =
    "percentile=60-65,60-70,60-75,60-80,60-85,60-90,60-95,60-99,65-70,65-75,65-80,65-85,65-90,65-95,65-99,70-75,70-80,"
    "70-85,70-90,70-95,"
    "70-99,75-80,75-85,75-90,75-95,75-99,80-85,80-90,80-95,80-99,85-90,85-95,85-99,90-95,90-99,95-99";

/// "60-65". Error(config) unless 0 < low <= high < 100.
inline std::pair<double, double> percentile_range(const std::string& text) {
  double low = 0, high = 0;
  const char* const end = text.data() + text.size();
  const auto first = std::from_chars(text.data(), end, low);
  const bool dash = first.ec == std::errc() && first.ptr != end && *first.ptr == '-';
  const auto second = dash ? std::from_chars(first.ptr + 1, end, high) : first;
  if (!dash || second.ec != std::errc() || second.ptr != end || !(low > 0 && low <= high && high < 100)) {
    throw Error(ErrorKind::config,
                "percentile = \"" + text + "\"; expected LOW-HIGH with 0 < LOW <= HIGH < 100, such as \"75-85\"");
  }
  return {low, high};
}

class AdaScale : public Postprocessor {
 public:
  explicit AdaScale(const Params& params)
      : k1_(params.number("k1")),
        k2_(params.number("k2")),
        lambda_(params.number("lmbda")),
        changed_(params.number("o")),
        samples_(params.integer("num_samples")),
        seed_(params.integer("seed")),
        picks_(params.text("picks")),
        precision_(params) {
    std::tie(low_, high_) = percentile_range(params.text("percentile"));
  }

  /// The statistic Q' of each image: [B,1].
  at::Tensor observe(NetworkBatch& images) const override {
    NetworkBatch& batch = precision_.of(images);
    const at::Tensor& features = batch.features();
    const at::Tensor changed = batch.forward(changed_images(batch)).features;
    const auto largest = [&](double percent) {
      const auto kept = static_cast<std::int64_t>(static_cast<double>(features.size(1)) * percent / 100);
      return std::get<1>(features.topk(kept, 1));
    };
    const at::Tensor kept = changed.relu().gather(1, largest(k1_)).sum(1, true);
    return kept.add_(features.sub(changed).abs_().gather(1, largest(k2_)).sum(1, true), lambda_).toType(at::kFloat);
  }

  void fit(const FitContext& context) override {
    const at::Tensor all = context.val.observed.select(1, 0);
    const std::vector<std::int64_t> rows = ranked_rows(all.size(0));
    const auto count = static_cast<std::int64_t>(rows.size());
    if (count == 0) throw Error(ErrorKind::data, "there are no validation images to rank among");
    const at::Tensor index =
        at::from_blob(const_cast<std::int64_t*>(rows.data()), {count}, at::TensorOptions(at::kLong));
    ranked_ = std::get<0>(all.index_select(0, index.to(all.device())).sort());
    // The distribution's steps as numpy.linspace(1/n, 1, n) rounds them, with 0 before: what the reference looks up.
    const double n = static_cast<double>(count), step = count > 1 ? (1 - 1 / n) / (n - 1) : 0;
    std::vector<double> steps{0};
    for (std::int64_t i = 0; i + 1 < count; ++i) steps.push_back(static_cast<double>(i) * step + 1 / n);
    steps.push_back(1);
    steps_ = at::from_blob(steps.data(), {count + 1}, at::TensorOptions(at::kDouble)).clone().to(all.device());
  }

 protected:
  /// r = sum of positive features / sum of the largest of them, fewer the more stable the image: features [n,D],
  /// statistic [n] -> [n,1].
  at::Tensor factor(const at::Tensor& features, const at::Tensor& statistic) const {
    const std::int64_t width = features.size(1);
    const at::Tensor rank =
        at::searchsorted(ranked_, statistic.contiguous(), false, true);  // images that have at most this
    const at::Tensor percentile = steps_.index_select(0, rank).neg_().add_(1).mul_(high_ - low_).add_(low_);
    const at::Tensor kept = percentile.mul_(static_cast<double>(width))
                                .div_(100)
                                .round_()
                                .neg_()
                                .add_(static_cast<double>(width))
                                .clamp_min_(1);
    const at::Tensor positive = features.relu(), top = std::get<0>(positive.topk(kept_features(width, low_), 1));
    const at::Tensor counted = at::arange(top.size(1), kept.options()).unsqueeze(0).lt(kept.unsqueeze(1));
    return positive.sum(1, true).div_(top.mul(counted).sum(1, true)).nan_to_num_(1);  // no positive feature: 0 / 0
  }

  /// score(rows of a block [n]) by blocks of the batch.
  template <class Score>
  static at::Tensor by_blocks(const FeatureBatch& batch, Score&& score) {
    constexpr std::int64_t kBlock = 4096;
    const std::int64_t total = batch.observed.size(0);
    at::Tensor scores = batch.observed.new_empty({total});
    for (std::int64_t first = 0; first < total; first += kBlock) {
      const std::int64_t count = std::min(kBlock, total - first);
      scores.narrow(0, first, count).copy_(score(first, count));
    }
    return scores;
  }

 private:
  /// The share of pixel values with the smallest gradient of the predicted logit moves half a unit along it.
  at::Tensor changed_images(NetworkBatch& batch) const {
    const at::Tensor& logits = batch.logits();
    const at::Tensor gradient = batch.logit_gradient(at::zeros_like(logits).scatter_(1, logits.argmax(1, true), 1));
    const at::Tensor flat = gradient.flatten(1);
    const auto count = static_cast<std::int64_t>(static_cast<double>(flat.size(1)) * changed_);
    const at::Tensor least = std::get<1>(flat.abs().topk(count, 1, false));
    const at::Tensor step = at::zeros_like(flat).scatter_(1, least, flat.gather(1, least).sign_().mul_(0.5));
    return batch.images().add(step.view_as(gradient));
  }

  std::vector<std::int64_t> ranked_rows(std::int64_t total) const {
    if (!picks_.empty()) return read_npy_indices(picks_, total);
    if (total > samples_) return PythonRandom(static_cast<std::uint32_t>(seed_)).sample(total, samples_);
    std::vector<std::int64_t> all(static_cast<std::size_t>(total));
    for (std::size_t i = 0; i < all.size(); ++i) all[i] = static_cast<std::int64_t>(i);
    return all;
  }

  double k1_, k2_, lambda_, changed_;
  std::int64_t samples_, seed_;
  std::string picks_;
  NetworkPrecision precision_;
  double low_ = 0, high_ = 0;
  at::Tensor ranked_;  // [n] statistics of validation images, ascending
  at::Tensor steps_;   // [n+1] float64: the share of them that is not larger
};

}  // namespace nearfar::common
