// AdaSCALE-A: energy after scaling the features, more the less stable they are. Regmi 2025, arXiv:2503.08023.
#include "../../common/adascale.h"
#include "../../common/energy.h"

#include <nearfar/plugin.h>

namespace {

class AdaScaleA final : public nearfar::common::AdaScale {
 public:
  using AdaScale::AdaScale;

  void fit(const nearfar::FitContext& context) override {
    AdaScale::fit(context);
    weight_ = context.head.weight.clone();
    bias_ = context.head.bias.clone();
  }

  at::Tensor score(const nearfar::FeatureBatch& batch) const override {  // [N,D], [N,1] -> [N]
    return by_blocks(batch, [&](std::int64_t first, std::int64_t count) {
      const at::Tensor features = batch.features.narrow(0, first, count);
      const at::Tensor scale =
          factor(features, batch.observed.select(1, 0).narrow(0, first, count)).clamp_max_(80).exp_();
      return nearfar::common::energy(nearfar::common::head_logits(features.mul(scale), weight_, bias_));
    });
  }

 private:
  at::Tensor weight_, bias_;  // [C,D], [C]
};

}  // namespace

NEARFAR_POSTPROCESSOR(AdaScaleA, .name = "adascale-a", .version = "1.0.0",
                      .summary = "energy after scaling features by how stable they are",
                      .reference = "arXiv:2503.08023",
                      .needs = nearfar::kFeatures | nearfar::kLogits | nearfar::kHeadWeights | nearfar::kValidation |
                               nearfar::kInputGradients,
                      .params = nearfar::common::kAdaScaleParams, .sweep = nearfar::common::kAdaScaleSweep,
                      .tuned = true, .observed_params = nearfar::common::kAdaScaleObservedParams)
