// Activation shaping. Djurisic et al. 2023, arXiv:2209.09858.
#include "../../common/energy.h"
#include "../../common/top_share.h"

#include <nearfar/plugin.h>

#include <ATen/ops/zeros_like.h>

#include <string>

namespace {

constexpr nearfar::Param kParams[] = {
    {"percentile", 90.0, 0.0, 100.0, "share of activations that is removed"},
    {"variant", "b", "b|p|s", "b: the kept ones become equal; p: only pruned; s: scaled"}};

class Ash final : public nearfar::Postprocessor {
 public:
  explicit Ash(const nearfar::Params& params)
      : percentile_(params.number("percentile")), variant_(params.text("variant")) {}

  void fit(const nearfar::FitContext& context) override {
    weight_ = context.head.weight.clone();
    bias_ = context.head.bias.clone();
  }

  at::Tensor score(const nearfar::FeatureBatch& batch) const override {  // [N,D] -> [N]
    const auto share =
        nearfar::common::top_share(batch.features, nearfar::common::kept_features(batch.features.size(1), percentile_));
    const at::Tensor shaped = at::zeros_like(batch.features).scatter_(1, share.indices, kept_values(share));
    return nearfar::common::energy(nearfar::common::head_logits(shaped, weight_, bias_));
  }

 private:
  at::Tensor kept_values(const nearfar::common::TopShare& share) const {
    if (variant_ == "p") return share.values;
    if (variant_ == "s") return nearfar::common::scaled(share.values, nearfar::common::share_factor(share));
    return share.all.div(share.values.size(1)).expand_as(share.values);
  }

  double percentile_;
  std::string variant_;
  at::Tensor weight_, bias_;  // [C,D], [C]
};

}  // namespace

NEARFAR_POSTPROCESSOR(Ash, .name = "ash", .version = "1.0.0", .summary = "energy after keeping the largest activations",
                      .reference = "arXiv:2209.09858", .needs = nearfar::kFeatures | nearfar::kHeadWeights,
                      .params = kParams, .sweep = "percentile=65,70,75,80,85,90,95", .tuned = true)
