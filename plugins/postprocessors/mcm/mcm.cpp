// Maximum concept matching on a classifier's logits. Ming et al. 2022, arXiv:2211.13445.
#include "../../common/largest_probability.h"

#include <nearfar/plugin.h>

namespace {

constexpr nearfar::Param kParams[] = {{"tau", 1.0, 1e-4, 1e6, "softmax temperature"}};

class Mcm final : public nearfar::Postprocessor {
 public:
  explicit Mcm(const nearfar::Params& params) : tau_(params.number("tau")) {}

  at::Tensor score(const nearfar::FeatureBatch& batch) const override {  // [N,C] -> [N]
    return nearfar::common::largest_probability(batch.logits.div(tau_)).neg();
  }

 private:
  double tau_;
};

}  // namespace

NEARFAR_POSTPROCESSOR(Mcm, .name = "mcm", .version = "1.0.0",
                      .summary = "minus the largest softmax probability at temperature tau",
                      .reference = "arXiv:2211.13445", .needs = nearfar::kLogits, .params = kParams,
                      .sweep = "tau=0.01,1,10")
