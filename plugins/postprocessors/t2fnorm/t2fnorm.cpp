// Scorer of a net trained with normalised features. Regmi et al. 2024, arXiv:2305.17797.
#include "../../common/energy.h"
#include "../../common/largest_probability.h"

#include <nearfar/plugin.h>

namespace {

constexpr nearfar::Param kParams[] = {{"tau", 0.1, 1e-4, 1e6, "what the feature is divided by before the head"}};

class T2fNorm final : public nearfar::Postprocessor {
 public:
  explicit T2fNorm(const nearfar::Params& params) : tau_(params.number("tau")) {}

  void fit(const nearfar::FitContext& context) override {
    weight_ = context.head.weight.clone();
    bias_ = context.head.bias.clone();
  }

  at::Tensor score(const nearfar::FeatureBatch& batch) const override {  // [N,D] -> [N]
    const at::Tensor logits = nearfar::common::head_logits(batch.features.div(tau_), weight_, bias_);
    return nearfar::common::largest_probability(logits).neg();
  }

 private:
  double tau_;
  at::Tensor weight_, bias_;  // [C,D], [C]
};

}  // namespace

NEARFAR_POSTPROCESSOR(T2fNorm, .name = "t2fnorm", .version = "1.0.0",
                      .summary = "minus the largest softmax probability of the head on scaled features",
                      .reference = "arXiv:2305.17797", .needs = nearfar::kFeatures | nearfar::kHeadWeights,
                      .params = kParams)
