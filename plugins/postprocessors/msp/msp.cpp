// Maximum softmax probability. Hendrycks & Gimpel 2017, arXiv:1610.02136.
#include <ATen/ops/softmax.h>
#include <nearfar/plugin.h>

namespace {

class Msp final : public nearfar::Postprocessor {
 public:
  explicit Msp(const nearfar::Params&) {}

  at::Tensor score(const nearfar::FeatureBatch& batch) const override {  // [N,C] -> [N]
    // float32 at::softmax on purpose: confident images saturate at exactly 1, and those ties move FPR@95.
    return at::softmax(batch.logits, 1).amax(1).neg();
  }
};

}  // namespace

NEARFAR_POSTPROCESSOR(Msp, .name = "msp", .version = "1.0.0", .summary = "minus the largest softmax probability",
                      .reference = "arXiv:1610.02136", .needs = nearfar::kLogits)
