// Supervised contrastive loss, the "out" form. Khosla et al. 2020, arXiv:2004.11362, eq. 2.
#include <nearfar/plugin.h>

#include <ATen/core/Tensor.h>
#include <ATen/ops/eye.h>

#include <limits>

namespace {

constexpr nearfar::Param kParams[] = {
    {"temperature", 0.1, 1e-4, 1e4, "divides the similarities"},
    {"base_temperature", 0.07, 1e-4, 1e4, "the loss is scaled by temperature / base_temperature"}};

class SupCon final : public nearfar::Loss {
 public:
  explicit SupCon(const nearfar::Params& params)
      : temperature_(params.number("temperature")), base_temperature_(params.number("base_temperature")) {}

  static nearfar::LossTraits traits(const nearfar::Params&) {
    return {.views = 2, .head = nearfar::HeadKind::embedding, .normalized_embedding = true, .capturable = true};
  }

  at::Tensor forward(const nearfar::LossInput& input) override {  // [N,E] -> []
    const at::Tensor& z = input.output;
    const std::int64_t rows = z.size(0);
    if (rows < 2) return z.sum().mul(0);  // no other row, so no pair
    const at::Tensor self = at::eye(rows, z.options().dtype(at::kBool).requires_grad(false));
    const at::Tensor positive = input.labels.unsqueeze(0).eq(input.labels.unsqueeze(1)).logical_and(self.logical_not());
    const at::Tensor similarity = z.mm(z.t()).div(temperature_);  // [N,N]
    const at::Tensor others = similarity.masked_fill(self, -std::numeric_limits<double>::infinity()).logsumexp(1, true);
    const at::Tensor log_probability = similarity.sub(others);
    // An anchor without a positive has an empty sum: 0 over at least 1.
    const at::Tensor per_anchor =
        log_probability.masked_fill(positive.logical_not(), 0).sum(1).div(positive.sum(1).clamp_min(1));
    return per_anchor.mean().mul(-temperature_ / base_temperature_);
  }

 private:
  double temperature_, base_temperature_;
};

}  // namespace

NEARFAR_LOSS(SupCon, .name = "supcon", .version = "1.0.0", .summary = "supervised contrastive loss over two views",
             .reference = "arXiv:2004.11362", .params = kParams)
