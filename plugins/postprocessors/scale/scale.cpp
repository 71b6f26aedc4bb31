// Scaled activations. Xu et al. 2024, arXiv:2310.00227.
#include "../../common/energy.h"
#include "../../common/top_share.h"

#include <nearfar/plugin.h>

namespace {

constexpr nearfar::Param kParams[] = {
    {"percentile", 85.0, 0.0, 100.0, "share of activations that are not counted as large"}};

class Scale final : public nearfar::Postprocessor {
 public:
  explicit Scale(const nearfar::Params& params) : percentile_(params.number("percentile")) {}

  void fit(const nearfar::FitContext& context) override {
    weight_ = context.head.weight.clone();
    bias_ = context.head.bias.clone();
  }

  at::Tensor score(const nearfar::FeatureBatch& batch) const override {  // [N,D] -> [N]
    const auto share =
        nearfar::common::top_share(batch.features, nearfar::common::kept_features(batch.features.size(1), percentile_));
    const at::Tensor shaped = nearfar::common::scaled(batch.features, nearfar::common::share_factor(share));
    return nearfar::common::energy(nearfar::common::head_logits(shaped, weight_, bias_));
  }

 private:
  double percentile_;
  at::Tensor weight_, bias_;  // [C,D], [C]
};

}  // namespace

NEARFAR_POSTPROCESSOR(Scale, .name = "scale", .version = "1.0.0",
                      .summary = "energy after scaling by the share of the largest activations",
                      .reference = "arXiv:2310.00227", .needs = nearfar::kFeatures | nearfar::kHeadWeights,
                      .params = kParams, .sweep = "percentile=65,70,75,80,85,90,95", .tuned = true)
