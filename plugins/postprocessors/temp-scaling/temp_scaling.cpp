// Temperature scaling. Guo et al. 2017, arXiv:1706.04599.
#include "../../common/largest_probability.h"
#include "../../common/lbfgs.h"

#include <nearfar/plugin.h>

#include <ATen/ops/log_softmax.h>

namespace {

constexpr nearfar::Param kParams[] = {
    {"lr", 0.01, 1e-6, 10.0, "step of the optimiser; OpenOOD's 0.01 stops short of the optimum"},
    {"iterations", 50, 1, 100000, "at most"}};

class TempScaling final : public nearfar::Postprocessor {
 public:
  explicit TempScaling(const nearfar::Params& params)
      : lr_(params.number("lr")), iterations_(static_cast<int>(params.integer("iterations"))) {}

  void fit(const nearfar::FitContext& context) override {
    const at::Tensor logits = context.val.logits.toType(at::kDouble), labels = context.val.labels;
    if (!labels.defined() || logits.size(0) == 0) {
      throw nearfar::Error(nearfar::ErrorKind::data, "temperature scaling needs validation images with labels");
    }
    const at::Tensor of_label = logits.gather(1, labels.unsqueeze(1)).squeeze(1);
    // Mean cross entropy at z / T, and its slope in T: mean of (z_y - sum_j p_j z_j) / T^2.
    const auto loss = [&](double temperature) -> nearfar::common::ValueAndSlope {
      const at::Tensor log_p = at::log_softmax(logits.div(temperature), 1);
      const at::Tensor expected = log_p.exp().mul(logits).sum(1);
      return {-log_p.gather(1, labels.unsqueeze(1)).mean().item<double>(),
              of_label.sub(expected).mean().item<double>() / (temperature * temperature)};
    };
    temperature_ = nearfar::common::lbfgs(loss, 1.5, {.lr = lr_, .max_iterations = iterations_});
  }

  at::Tensor score(const nearfar::FeatureBatch& batch) const override {  // [N,C] -> [N]
    return nearfar::common::largest_probability(batch.logits.div(temperature_)).neg();
  }

 private:
  double lr_;
  int iterations_;
  double temperature_ = 1.5;
};

}  // namespace

NEARFAR_POSTPROCESSOR(TempScaling, .name = "temp-scaling", .version = "1.0.0",
                      .summary = "maximum probability at a temperature fitted on validation",
                      .reference = "arXiv:1706.04599", .needs = nearfar::kLogits | nearfar::kValidation,
                      .params = kParams)
