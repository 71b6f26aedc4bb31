// Rectified activations. Sun et al. 2021, arXiv:2111.12797.
#include "../../common/energy.h"
#include "../../common/percentile.h"

#include <nearfar/plugin.h>

namespace {

constexpr nearfar::Param kParams[] = {
    {"percentile", 90.0, 0.0, 100.0, "of all validation activations: where they are clipped"}};

class React final : public nearfar::Postprocessor {
 public:
  explicit React(const nearfar::Params& params) : percentile_(params.number("percentile")) {}

  void fit(const nearfar::FitContext& context) override {
    weight_ = context.head.weight.clone();
    bias_ = context.head.bias.clone();
    threshold_ = nearfar::common::percentile(context.val.features, percentile_);
  }

  at::Tensor score(const nearfar::FeatureBatch& batch) const override {  // [N,D] -> [N]
    return nearfar::common::energy(nearfar::common::head_logits(batch.features.clamp_max(threshold_), weight_, bias_));
  }

 private:
  double percentile_;
  float threshold_ = 0;
  at::Tensor weight_, bias_;  // [C,D], [C]
};

}  // namespace

NEARFAR_POSTPROCESSOR(React, .name = "react", .version = "1.0.0", .summary = "energy after clipping large activations",
                      .reference = "arXiv:2111.12797",
                      .needs = nearfar::kFeatures | nearfar::kHeadWeights | nearfar::kValidation, .params = kParams,
                      .sweep = "percentile=85,90,95,99", .tuned = true)
