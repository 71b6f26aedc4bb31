// Maximum logit. Hendrycks et al. 2022, arXiv:1911.11132.
#include <nearfar/plugin.h>

namespace {

class Mls final : public nearfar::Postprocessor {
 public:
  explicit Mls(const nearfar::Params&) {}

  at::Tensor score(const nearfar::FeatureBatch& batch) const override {  // [N,C] -> [N]
    return batch.logits.amax(1).neg();
  }
};

}  // namespace

NEARFAR_POSTPROCESSOR(Mls, .name = "mls", .version = "1.0.0", .summary = "minus the largest logit",
                      .reference = "arXiv:1911.11132", .needs = nearfar::kLogits)
