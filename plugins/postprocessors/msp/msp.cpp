// Maximum softmax probability. Hendrycks & Gimpel 2017, arXiv:1610.02136.
#include "../../common/largest_probability.h"

#include <nearfar/plugin.h>

namespace {

class Msp final : public nearfar::Postprocessor {
 public:
  explicit Msp(const nearfar::Params&) {}

  at::Tensor score(const nearfar::FeatureBatch& batch) const override {  // [N,C] -> [N]
    return nearfar::common::largest_probability(batch.logits).neg();
  }
};

}  // namespace

NEARFAR_POSTPROCESSOR(Msp, .name = "msp", .version = "1.0.0", .summary = "minus the largest softmax probability",
                      .reference = "arXiv:1610.02136", .needs = nearfar::kLogits)
