// The first version: the largest logit.
#include <nearfar/plugin.h>

namespace {

class Stranger final : public nearfar::Postprocessor {
 public:
  explicit Stranger(const nearfar::Params&) {}
  at::Tensor score(const nearfar::FeatureBatch& batch) const override { return batch.logits.amax(1).neg(); }
};

}  // namespace

NEARFAR_POSTPROCESSOR(Stranger, .name = "stranger", .version = "1.0.0", .needs = nearfar::kLogits)
