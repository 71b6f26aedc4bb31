// Norm of the gradient of the head. Huang et al. 2021, arXiv:2110.00218, in closed form.
#include <nearfar/plugin.h>

#include <ATen/ops/softmax.h>

namespace {

class GradNorm final : public nearfar::Postprocessor {
 public:
  explicit GradNorm(const nearfar::Params&) {}

  at::Tensor score(const nearfar::FeatureBatch& batch) const override {  // [N,C], [N,D] -> [N]
    // d/dW of sum_j -log softmax(Wh)_j is (C p - 1) h^T: its L1 norm is a product of two.
    const at::Tensor of_logits = at::softmax(batch.logits, 1).mul(batch.logits.size(1)).sub(1).abs().sum(1);
    return batch.features.abs().sum(1).mul(of_logits).neg();
  }
};

}  // namespace

NEARFAR_POSTPROCESSOR(GradNorm, .name = "gradnorm", .version = "1.0.0",
                      .summary = "minus the L1 norm of the head's gradient, closed form",
                      .reference = "arXiv:2110.00218", .needs = nearfar::kLogits | nearfar::kFeatures)
