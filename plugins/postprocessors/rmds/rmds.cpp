// Relative Mahalanobis distance. Ren et al. 2021, arXiv:2106.09022.
#include "../../common/mahalanobis.h"

#include <nearfar/plugin.h>

namespace {

class Rmds final : public nearfar::Postprocessor {
 public:
  explicit Rmds(const nearfar::Params&) {}

  void fit(const nearfar::FitContext& context) override {
    const at::Tensor& train = context.train.features;
    const auto rows = [&](std::int64_t first, std::int64_t count) { return train.narrow(0, first, count); };
    classes_.fit(rows, context.train.labels, context.classes, train.size(1));
    background_.fit_as_one_class(train, context.train.labels);
  }

  at::Tensor score(const nearfar::FeatureBatch& batch) const override {  // [N,D] -> [N]
    return nearfar::common::score_by_blocks(batch.features, [&](const at::Tensor& block) {
      return classes_.distances(block).sub(background_.distances(block));
    });
  }

 private:
  nearfar::common::Mahalanobis classes_, background_;
};

}  // namespace

NEARFAR_POSTPROCESSOR(Rmds, .name = "rmds", .version = "1.0.0",
                      .summary = "Mahalanobis distance to the nearest class, relative to all classes",
                      .reference = "arXiv:2106.09022", .needs = nearfar::kFeatures | nearfar::kTrain)
