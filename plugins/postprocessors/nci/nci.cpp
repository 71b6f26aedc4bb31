// Neural collapse inspired. Liu and Qin 2025, arXiv:2311.01479.
#include "../../common/column_mean.h"

#include <nearfar/plugin.h>

namespace {

constexpr nearfar::Param kParams[] = {{"alpha", 1e-4, 0.0, 1e6, "weight of the feature norm"}};

class Nci final : public nearfar::Postprocessor {
 public:
  explicit Nci(const nearfar::Params& params) : alpha_(params.number("alpha")) {}

  void fit(const nearfar::FitContext& context) override {
    weight_ = context.head.weight.clone();
    mean_ = nearfar::common::column_mean(context.train.features);
  }

  at::Tensor score(const nearfar::FeatureBatch& batch) const override {  // [N,C], [N,D] -> [N]
    const at::Tensor centred = batch.features.sub(mean_);
    const at::Tensor along = weight_.index_select(0, batch.logits.argmax(1)).mul(centred).sum(1);
    // A feature at the mean has no direction: 0 instead of 0 / 0.
    const at::Tensor angle = along.div(centred.norm(2, {1}).clamp_min(1e-30));
    return angle.add(batch.features.abs().sum(1), alpha_).neg();
  }

 private:
  double alpha_;
  at::Tensor weight_, mean_;  // [C,D], [D]
};

}  // namespace

NEARFAR_POSTPROCESSOR(Nci, .name = "nci", .version = "1.0.0",
                      .summary = "angle to the predicted class weight, and the feature norm",
                      .reference = "arXiv:2311.01479",
                      .needs = nearfar::kLogits | nearfar::kFeatures | nearfar::kHeadWeights | nearfar::kTrain,
                      .params = kParams, .sweep = "alpha=0.0001,0.001,0.01,0.1", .tuned = true)
