// Energy. Liu et al. 2020, arXiv:2010.03759.
#include <nearfar/plugin.h>

namespace {

constexpr nearfar::Param kParams[] = {{"temperature", 1.0, 1e-3, 1e6, "softmax temperature T"}};

class Ebo final : public nearfar::Postprocessor {
 public:
  explicit Ebo(const nearfar::Params& params) : temperature_(params.number("temperature")) {}

  at::Tensor score(const nearfar::FeatureBatch& batch) const override {  // [N,C] -> [N]
    return batch.logits.div(temperature_).logsumexp(1).mul(-temperature_);
  }

 private:
  double temperature_;
};

}  // namespace

NEARFAR_POSTPROCESSOR(Ebo, .name = "ebo", .version = "1.0.0", .summary = "free energy of the logits",
                      .reference = "arXiv:2010.03759", .needs = nearfar::kLogits, .params = kParams)
