// Cross-entropy of a head that sees features of one length while it is trained. Regmi et al. 2024, arXiv:2305.17797.
// The division is the trainer's, by the traits; what is left is the cross-entropy of the logits.
#include <nearfar/plugin.h>

#include <ATen/ops/cross_entropy_loss.h>

namespace {

constexpr nearfar::Param kParams[] = {
    {"tau", 0.1, 1e-4, 1e4, "the normalised feature is divided by it in training"},
    {"test_tau", 0.0, 0.0, 1e4, "the raw feature is divided by it in what is evaluated; 0 = as tau"}};

class T2fNorm final : public nearfar::Loss {
 public:
  explicit T2fNorm(const nearfar::Params&) {}

  static nearfar::LossTraits traits(const nearfar::Params& params) {
    const double tau = params.number("tau"), test_tau = params.number("test_tau");
    return {.views = 1,
            .head = nearfar::HeadKind::linear,
            .takes_soft_targets = true,
            .feature_temperature = tau,
            .evaluated_temperature = test_tau > 0 ? test_tau : tau,
            .capturable = true};
  }

  at::Tensor forward(const nearfar::LossInput& input) override {  // [N,C] -> []
    return at::cross_entropy_loss(input.output, input.soft_targets.defined() ? input.soft_targets : input.labels);
  }
};

}  // namespace

NEARFAR_LOSS(T2fNorm, .name = "t2fnorm", .version = "1.0.0",
             .summary = "cross-entropy of the head on normalised features", .reference = "arXiv:2305.17797",
             .params = kParams)
