// i-ODIN: ODIN with a step in one value of the image only, the one the loss depends on most. Regmi 2024,
// arXiv:2411.10794.
#include "../../common/odin.h"

#include <nearfar/plugin.h>

#include <ATen/ops/zeros_like.h>

namespace {

class Iodin final : public nearfar::Postprocessor {
 public:
  explicit Iodin(const nearfar::Params& params) : odin_(params) {}

  at::Tensor observe(nearfar::NetworkBatch& batch) const override {  // -> [B,1]
    const at::Tensor gradient = odin_.gradient(batch);
    const at::Tensor sizes = gradient.abs().flatten(1);
    const at::Tensor largest = at::zeros_like(sizes).scatter_(1, sizes.argmax(1, true), 1).view_as(gradient);
    return odin_.score(batch, nearfar::common::signs(gradient).div_(nearfar::common::pixel_std(batch)).mul_(largest));
  }

  at::Tensor score(const nearfar::FeatureBatch& batch) const override { return batch.observed.select(1, 0).clone(); }

 private:
  nearfar::common::Odin odin_;
};

}  // namespace

NEARFAR_POSTPROCESSOR(Iodin, .name = "iodin", .version = "1.0.0",
                      .summary = "ODIN with a step in a single value of the image", .reference = "arXiv:2411.10794",
                      .needs = nearfar::kLogits | nearfar::kInputGradients, .params = nearfar::common::kOdinParams,
                      .sweep = nearfar::common::kOdinSweep, .tuned = true,
                      .observed_params = nearfar::common::kOdinObservedParams)
