// AdaSCALE-L: energy after scaling the logits, more the less stable the features are. Regmi 2025, arXiv:2503.08023.
#include "../../common/adascale.h"
#include "../../common/energy.h"

#include <nearfar/plugin.h>

namespace {

class AdaScaleL final : public nearfar::common::AdaScale {
 public:
  using AdaScale::AdaScale;

  at::Tensor score(const nearfar::FeatureBatch& batch) const override {  // [N,D], [N,C], [N,1] -> [N]
    return by_blocks(batch, [&](std::int64_t first, std::int64_t count) {
      const at::Tensor scale =
          factor(batch.features.narrow(0, first, count), batch.observed.select(1, 0).narrow(0, first, count));
      return nearfar::common::energy(batch.logits.narrow(0, first, count).mul(scale.square_()));
    });
  }
};

}  // namespace

NEARFAR_POSTPROCESSOR(AdaScaleL, .name = "adascale-l", .version = "1.0.0",
                      .summary = "energy after scaling logits by how stable the features are",
                      .reference = "arXiv:2503.08023",
                      .needs = nearfar::kFeatures | nearfar::kLogits | nearfar::kValidation | nearfar::kInputGradients,
                      .params = nearfar::common::kAdaScaleParams, .sweep = nearfar::common::kAdaScaleSweep,
                      .tuned = true, .observed_params = nearfar::common::kAdaScaleObservedParams)
