// Directed sparsification. Sun and Li 2022, arXiv:2111.09805.
#include "../../common/column_mean.h"
#include "../../common/energy.h"
#include "../../common/percentile.h"

#include <nearfar/plugin.h>

namespace {

constexpr nearfar::Param kParams[] = {
    {"p", 90.0, 0.0, 100.0, "percentile of all contributions: those not above it are removed"}};

class Dice final : public nearfar::Postprocessor {
 public:
  explicit Dice(const nearfar::Params& params) : p_(params.number("p")) {}

  void fit(const nearfar::FitContext& context) override {
    const at::Tensor contribution =
        context.head.weight.mul(nearfar::common::column_mean(context.train.features));  // [C,D]
    const float threshold = nearfar::common::percentile(contribution, p_);
    masked_ = context.head.weight.mul(contribution.gt(threshold));
    bias_ = context.head.bias.clone();
  }

  at::Tensor score(const nearfar::FeatureBatch& batch) const override {  // [N,D] -> [N]
    return nearfar::common::energy(nearfar::common::head_logits(batch.features, masked_, bias_));
  }

 private:
  double p_;
  at::Tensor masked_, bias_;  // [C,D], [C]
};

}  // namespace

NEARFAR_POSTPROCESSOR(Dice, .name = "dice", .version = "1.0.0",
                      .summary = "energy with the weak contributions of the head removed",
                      .reference = "arXiv:2111.09805",
                      .needs = nearfar::kFeatures | nearfar::kHeadWeights | nearfar::kTrain, .params = kParams)
