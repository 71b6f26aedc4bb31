#pragma once
/// The scorer of two embedding trainings, ReweightOOD and PALM: mds's formula on the normalised backbone feature.
#include "mahalanobis.h"

#include <nearfar/plugin.h>

namespace nearfar::common {

class NormalizedMahalanobis final : public Postprocessor {
 public:
  static constexpr Needs kNeeds = kNormalizedFeatures | kTrain;

  explicit NormalizedMahalanobis(const Params&) {}

  void fit(const FitContext& context) override {
    const at::Tensor& train = context.train.normalized;
    const auto rows = [&](std::int64_t first, std::int64_t count) { return train.narrow(0, first, count); };
    distance_.fit(rows, context.train.labels, context.classes, train.size(1));
  }

  at::Tensor score(const FeatureBatch& batch) const override {  // [N,D] -> [N]
    return score_by_blocks(batch.normalized, [&](const at::Tensor& block) { return distance_.distances(block); });
  }

 private:
  Mahalanobis distance_;
};

}  // namespace nearfar::common
