// A loss whose result is no differentiable scalar, or whose traits make no sense.
#include <nearfar/plugin.h>

#include <stdexcept>

namespace {

constexpr nearfar::Param kParams[] = {
    {"result", "vector", "vector|detached|traits|temperature|embedding|throws", "what is wrong"}};

class WrongLoss final : public nearfar::Loss {
 public:
  explicit WrongLoss(const nearfar::Params& params) : result_(params.text("result")) {}
  static nearfar::LossTraits traits(const nearfar::Params& params) {
    if (params.text("result") == "throws") throw std::runtime_error("traits cannot");
    if (params.text("result") == "temperature") return {.feature_temperature = -1};
    if (params.text("result") == "embedding") return {.head = nearfar::HeadKind::embedding, .feature_temperature = 0.1};
    return {.views = params.text("result") == "traits" ? 3 : 1};
  }
  at::Tensor forward(const nearfar::LossInput& input) override {
    return result_ == "vector" ? input.output.sum(1) : input.output.sum().detach();
  }

 private:
  std::string result_;
};

}  // namespace

NEARFAR_LOSS(WrongLoss, .name = "wrong-loss", .version = "1.0.0", .params = kParams)
