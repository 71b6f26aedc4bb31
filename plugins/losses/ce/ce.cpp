// Cross-entropy: the baseline classifier.
#include <nearfar/plugin.h>

#include <ATen/ops/cross_entropy_loss.h>

namespace {

class CrossEntropy final : public nearfar::Loss {
 public:
  explicit CrossEntropy(const nearfar::Params&) {}

  nearfar::LossTraits traits() const override { return {.views = 1, .head = nearfar::HeadKind::linear}; }

  at::Tensor forward(const nearfar::LossInput& input) override {  // [N,C] -> []
    return at::cross_entropy_loss(input.output, input.labels);
  }
};

}  // namespace

NEARFAR_LOSS(CrossEntropy, .name = "ce", .version = "1.0.0", .summary = "mean cross-entropy of the logits",
             .reference = "arXiv:1512.00567")
