// ODIN: softmax at a high temperature after a step towards certainty. Liang, Li and Srikant 2018, arXiv:1706.02690.
#include "../../common/odin.h"

#include <nearfar/plugin.h>

namespace {

class OdinScore final : public nearfar::Postprocessor {
 public:
  explicit OdinScore(const nearfar::Params& params) : odin_(params) {}

  at::Tensor observe(nearfar::NetworkBatch& batch) const override {  // -> [B,1]
    return odin_.score(batch, nearfar::common::signs(odin_.gradient(batch)).div_(nearfar::common::pixel_std(batch)));
  }

  at::Tensor score(const nearfar::FeatureBatch& batch) const override { return batch.observed.select(1, 0).clone(); }

 private:
  nearfar::common::Odin odin_;
};

}  // namespace

NEARFAR_POSTPROCESSOR(OdinScore, .name = "odin", .version = "1.0.0",
                      .summary = "softmax after a step that makes the image more certain",
                      .reference = "arXiv:1706.02690", .needs = nearfar::kLogits | nearfar::kInputGradients,
                      .params = nearfar::common::kOdinParams, .sweep = nearfar::common::kOdinSweep, .tuned = true,
                      .observed_params = nearfar::common::kOdinObservedParams)
