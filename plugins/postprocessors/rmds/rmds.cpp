// Relative Mahalanobis distance. Ren et al. 2021, arXiv:2106.09022.
#include <ATen/ops/zeros_like.h>
#include <nearfar/plugin.h>

#include <algorithm>
#include <limits>

#include "../../common/class_statistics.h"
#include "../../common/column_mean.h"
#include "../../common/nearest_mean.h"

namespace {

constexpr std::int64_t kScoreBlock = 4096;  // rows

class Rmds final : public nearfar::Postprocessor {
 public:
  explicit Rmds(const nearfar::Params&) {}

  void fit(const nearfar::FitContext& context) override {
    const nearfar::FeatureBatch& train = context.train;
    if (!train.labels.defined()) throw nearfar::Error(nearfar::ErrorKind::data, "the train images have no labels; class means need them");
    const auto rows = [&](std::int64_t first, std::int64_t count) { return train.features.narrow(0, first, count); };
    const auto [means, counts] = nearfar::common::class_means(rows, train.labels, context.classes, train.features.size(1));
    classes_ = nearfar::common::NearestMean(nearfar::common::within_class_covariance(rows, train.labels, means),
                                            means.index_select(0, counts.gt(0).nonzero().squeeze(1)));
    const at::Tensor whole = nearfar::common::column_mean(train.features).unsqueeze(0);
    background_ = nearfar::common::NearestMean(nearfar::common::within_class_covariance(rows, at::zeros_like(train.labels), whole), whole);
  }

  at::Tensor score(const nearfar::FeatureBatch& batch) const override {  // [N,D] -> [N]
    constexpr double kMost = std::numeric_limits<float>::max();
    const std::int64_t total = batch.features.size(0);
    at::Tensor scores = batch.features.new_empty({total});
    for (std::int64_t first = 0; first < total; first += kScoreBlock) {
      const at::Tensor block = batch.features.narrow(0, first, std::min(kScoreBlock, total - first));
      const at::Tensor relative = classes_.distances(block).sub(background_.distances(block));
      scores.narrow(0, first, block.size(0)).copy_(relative.clamp(-kMost, kMost));
    }
    return scores;
  }

 private:
  nearfar::common::NearestMean classes_, background_;
};

}  // namespace

NEARFAR_POSTPROCESSOR(Rmds, .name = "rmds", .version = "1.0.0",
                      .summary = "Mahalanobis distance to the nearest class, relative to all classes", .reference = "arXiv:2106.09022",
                      .needs = nearfar::kFeatures | nearfar::kTrain)
