// Variational rectified activations. Xu et al. 2023, arXiv:2302.11716.
#include "../../common/energy.h"
#include "../../common/percentile.h"

#include <nearfar/plugin.h>

namespace {

constexpr nearfar::Param kParams[] = {
    {"percentile_high", 90.0, 0.0, 100.0, "of all validation activations: clipped above"},
    {"percentile_low", 10.0, 0.0, 100.0, "clipped below"}};

class Vra final : public nearfar::Postprocessor {
 public:
  explicit Vra(const nearfar::Params& params)
      : high_(params.number("percentile_high")), low_(params.number("percentile_low")) {}

  void fit(const nearfar::FitContext& context) override {
    weight_ = context.head.weight.clone();
    bias_ = context.head.bias.clone();
    most_ = nearfar::common::percentile(context.val.features, high_);
    least_ = nearfar::common::percentile(context.val.features, low_);
  }

  at::Tensor score(const nearfar::FeatureBatch& batch) const override {  // [N,D] -> [N]
    return nearfar::common::energy(nearfar::common::head_logits(batch.features.clamp(least_, most_), weight_, bias_));
  }

 private:
  double high_, low_;
  float most_ = 0, least_ = 0;
  at::Tensor weight_, bias_;  // [C,D], [C]
};

}  // namespace

NEARFAR_POSTPROCESSOR(Vra, .name = "vra", .version = "1.0.0",
                      .summary = "energy after clipping activations from both sides", .reference = "arXiv:2302.11716",
                      .needs = nearfar::kFeatures | nearfar::kHeadWeights | nearfar::kValidation, .params = kParams,
                      .sweep = "percentile_high=85,90,95,99;percentile_low=1,5,10,15", .tuned = true)
