// Mean cross-entropy that works out its own derivative: softmax minus one-hot, divided by N.
#include <nearfar/explicit_gradient.h>
#include <nearfar/plugin.h>

#include <ATen/ops/zeros_like.h>

namespace {

class ExplicitCrossEntropy final : public nearfar::ExplicitGradientLoss {
 public:
  explicit ExplicitCrossEntropy(const nearfar::Params&) {}

  static nearfar::LossTraits traits(const nearfar::Params&) { return {}; }

  nearfar::LossAndGradients evaluate(const nearfar::LossInput& input) override {  // [N,C] -> []
    const at::Tensor log_p = input.output.log_softmax(1), label = input.labels.unsqueeze(1);
    const at::Tensor hot = at::zeros_like(log_p).scatter_(1, label, 1);
    const auto rows = static_cast<double>(log_p.size(0));
    return {.loss = log_p.gather(1, label).mean().neg(), .output = log_p.exp().sub(hot).div(rows)};
  }
};

}  // namespace

NEARFAR_LOSS(ExplicitCrossEntropy, .name = "explicit-ce", .version = "1.0.0",
             .summary = "mean cross-entropy with its own backward pass", .reference = "arXiv:1512.00567")
