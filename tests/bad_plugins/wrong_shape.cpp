// Returns scores that are none: another shape or type, or values that are not finite.
#include "common.h"

#include <limits>

namespace {

constexpr nearfar::Param kParams[] = {{"result", "matrix", "matrix|short|half|nan|nothing", "what score() returns"}};

class WrongShape final : public nearfar::bad::Good {
 public:
  explicit WrongShape(const nearfar::Params& params) : Good(params), result_(params.text("result")) {}
  at::Tensor score(const nearfar::FeatureBatch& batch) const override {
    at::Tensor scores = Good::score(batch);
    if (result_ == "matrix") return scores.unsqueeze(1);
    if (result_ == "short") return scores.narrow(0, 0, scores.size(0) - 1);
    if (result_ == "half") return scores.toType(at::kHalf);
    if (result_ == "nothing") return {};
    scores[1].fill_(std::numeric_limits<double>::quiet_NaN());
    return scores;
  }

 private:
  std::string result_;
};

}  // namespace

NEARFAR_POSTPROCESSOR(WrongShape, .name = "wrong-shape", .version = "1.0.0", .needs = nearfar::kLogits,
                      .params = kParams)
