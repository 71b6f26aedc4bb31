// <%name%>: what it pulls together and pushes apart, in a line. Author and year, arXiv:NNNN.NNNNN.
#include <nearfar/plugin.h>

#include <ATen/ops/cross_entropy_loss.h>

namespace {

constexpr nearfar::Param kParams[] = {{"temperature", 1.0, 1e-3, 1e6, "softmax temperature T"}};

class <%class%> final : public nearfar::Loss {
 public:
  explicit <%class%>(const nearfar::Params& params) : temperature_(params.number("temperature")) {}

  static nearfar::LossTraits traits(const nearfar::Params&) {
    return {.views = 1, .head = nearfar::HeadKind::linear, .capturable = true};
  }

  // YOUR FORMULA. A scalar to minimise, made of differentiable operators; here the cross-entropy of logits / T.
  at::Tensor forward(const nearfar::LossInput& input) override {  // [N,C] -> []
    return at::cross_entropy_loss(input.output.div(temperature_), input.labels);
  }

 private:
  double temperature_;
};

}  // namespace

// Count the version up whenever losses change: results of another version are other results.
NEARFAR_LOSS(<%class%>, .name = "<%name%>", .version = "0.1.0", .summary = "cross-entropy at a temperature",
             .reference = "none", .params = kParams)
