// Cross-entropy: the baseline classifier.
#include <nearfar/plugin.h>

#include <ATen/ops/cross_entropy_loss.h>

namespace {

class CrossEntropy final : public nearfar::Loss {
 public:
  explicit CrossEntropy(const nearfar::Params&) {}

  static nearfar::LossTraits traits(const nearfar::Params&) {
    return {.views = 1, .head = nearfar::HeadKind::linear, .takes_soft_targets = true, .capturable = true};
  }

  at::Tensor forward(const nearfar::LossInput& input) override {  // [N,C] -> []
    return at::cross_entropy_loss(input.output, input.soft_targets.defined() ? input.soft_targets : input.labels);
  }
};

}  // namespace

NEARFAR_LOSS(CrossEntropy, .name = "ce", .version = "1.0.0", .summary = "mean cross-entropy of the logits",
             .reference = "arXiv:1512.00567")
