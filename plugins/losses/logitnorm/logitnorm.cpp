// Cross-entropy of logits of one length: long ones are no longer the way to a small loss. Wei et al., ICML 2022.
#include <nearfar/plugin.h>

#include <ATen/ops/cross_entropy_loss.h>

namespace {

constexpr double kEpsilon = 1e-7;  // of the authors' code, added to the length

constexpr nearfar::Param kParams[] = {{"tau", 0.04, 1e-4, 1e4, "temperature of the normalised logits"}};

class LogitNorm final : public nearfar::Loss {
 public:
  explicit LogitNorm(const nearfar::Params& params) : tau_(params.number("tau")) {}

  static nearfar::LossTraits traits(const nearfar::Params&) {
    return {.views = 1, .head = nearfar::HeadKind::linear, .takes_soft_targets = true, .capturable = true};
  }

  at::Tensor forward(const nearfar::LossInput& input) override {  // [N,C] -> []
    const at::Tensor lengths = input.output.norm(2, {1}, true).add(kEpsilon);
    return at::cross_entropy_loss(input.output.div(lengths).div(tau_),
                                  input.soft_targets.defined() ? input.soft_targets : input.labels);
  }

 private:
  double tau_;
};

}  // namespace

NEARFAR_LOSS(LogitNorm, .name = "logitnorm", .version = "1.0.0", .summary = "cross-entropy of normalised logits",
             .reference = "arXiv:2205.09310", .params = kParams)
