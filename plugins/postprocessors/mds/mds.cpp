// Mahalanobis distance to the nearest class. Lee et al. 2018, arXiv:1807.03888, without input noise and layer ensemble.
#include "../../common/mahalanobis.h"

#include <nearfar/plugin.h>

namespace {

constexpr nearfar::Param kParams[] = {
    {"normalize", false, "use L2-normalised features: ReweightOOD's and PALM's form"}};

class Mds final : public nearfar::Postprocessor {
 public:
  explicit Mds(const nearfar::Params& params) : normalize_(params.boolean("normalize")) {}

  void fit(const nearfar::FitContext& context) override {
    const at::Tensor& train = context.train.features;
    const auto rows = [&](std::int64_t first, std::int64_t count) { return prepared(train.narrow(0, first, count)); };
    distance_.fit(rows, context.train.labels, context.classes, train.size(1));
  }

  at::Tensor score(const nearfar::FeatureBatch& batch) const override {  // [N,D] -> [N]
    return nearfar::common::score_by_blocks(
        batch.features, [&](const at::Tensor& block) { return distance_.distances(prepared(block)); });
  }

 private:
  at::Tensor prepared(const at::Tensor& features) const {
    return normalize_ ? features.div(features.norm(2, {1}, true).clamp_min(1e-12)) : features;
  }

  bool normalize_;
  nearfar::common::Mahalanobis distance_;
};

}  // namespace

NEARFAR_POSTPROCESSOR(Mds, .name = "mds", .version = "1.0.0",
                      .summary = "Mahalanobis distance to the nearest class, shared covariance",
                      .reference = "arXiv:1807.03888", .needs = nearfar::kFeatures | nearfar::kTrain, .params = kParams)
