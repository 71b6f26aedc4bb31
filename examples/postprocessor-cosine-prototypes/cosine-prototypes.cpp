// Cosine distance to the nearest class mean of unit features. SDK only, tier stable: one binary for many LibTorch
// versions.
#include <nearfar/plugin.h>

#include <ATen/ops/zeros.h>

#include <algorithm>
#include <string>

namespace {

constexpr std::int64_t kBlock = 4096;  // train rows at a time: they may be a mapped file larger than memory

/// Each row divided by its length; a row of zeros stays one.
at::Tensor unit_rows(const at::Tensor& rows) { return rows.div(rows.norm(2, {1}, true).clamp_min(1e-12)); }

class CosinePrototypes final : public nearfar::Postprocessor {
 public:
  explicit CosinePrototypes(const nearfar::Params&) {}

  void fit(const nearfar::FitContext& context) override {
    const at::Tensor rows = context.train.normalized, labels = context.train.labels;  // [N,D], [N]
    if (!labels.defined() || labels.size(0) == 0)
      throw nearfar::Error(nearfar::ErrorKind::data, "found no train images with labels; class means need them");
    const auto largest = labels.max().item<std::int64_t>(), smallest = labels.min().item<std::int64_t>();
    if (smallest < 0 || largest >= context.classes) {
      throw nearfar::Error(nearfar::ErrorKind::data, "found labels from " + std::to_string(smallest) + " to " +
                                                         std::to_string(largest) + "; expected 0 to " +
                                                         std::to_string(context.classes - 1));
    }
    at::Tensor sums = at::zeros({context.classes, rows.size(1)}, rows.options().dtype(at::kDouble));
    for (std::int64_t first = 0; first < rows.size(0); first += kBlock) {
      const std::int64_t count = std::min(kBlock, rows.size(0) - first);
      sums.index_add_(0, labels.narrow(0, first, count), rows.narrow(0, first, count).toType(at::kDouble));
    }
    const at::Tensor present = labels.bincount({}, context.classes).gt(0).nonzero().squeeze(1);
    prototypes_ = unit_rows(sums.index_select(0, present)).toType(at::kFloat);  // the sum points where the mean does
  }

  at::Tensor score(const nearfar::FeatureBatch& batch) const override {  // [N,D] -> [N], from 0 to 2
    return batch.normalized.mm(prototypes_.t()).amax(1).neg().add(1);
  }

 private:
  at::Tensor prototypes_;  // [K,D] float32 unit rows, of the K classes that have train images
};

}  // namespace

NEARFAR_POSTPROCESSOR(CosinePrototypes, .name = "cosine-prototypes", .version = "1.0.0",
                      .summary = "cosine distance to the nearest class mean", .reference = "none",
                      .needs = nearfar::kNormalizedFeatures | nearfar::kTrain)
