// The next version: all logits count.
#include <nearfar/plugin.h>

namespace {

class Stranger final : public nearfar::Postprocessor {
 public:
  explicit Stranger(const nearfar::Params&) {}
  at::Tensor score(const nearfar::FeatureBatch& batch) const override { return batch.logits.logsumexp(1).neg(); }
};

}  // namespace

NEARFAR_POSTPROCESSOR(Stranger, .name = "stranger", .version = "1.2.0", .needs = nearfar::kLogits)
