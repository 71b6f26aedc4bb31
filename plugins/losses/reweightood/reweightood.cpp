// ReweightOOD: every pair of a batch weighted by how far it still is from done. Regmi et al., CVPR workshops 2024.
#include <nearfar/plugin.h>

#include <ATen/ops/elu.h>
#include <ATen/ops/where.h>

namespace {

constexpr nearfar::Param kParams[] = {{"tau", 0.1, 1e-4, 1e4, "temperature of the similarities"},
                                      {"m_b", 5.0, -1e3, 1e3, "slope of the weight of a pair of different classes"},
                                      {"c_b", 4.0, -1e3, 1e3, "its offset: the weight is sigmoid(m_b s - c_b)"},
                                      {"m_w", 2.0, -1e3, 1e3, "slope of the weight of a pair of one class"},
                                      {"c_w", 1.0, -1e3, 1e3, "its offset: the weight is sigmoid(c_w - m_w s)"}};

class ReweightOod final : public nearfar::Loss {
 public:
  explicit ReweightOod(const nearfar::Params& params)
      : tau_(params.number("tau")),
        m_b_(params.number("m_b")),
        c_b_(params.number("c_b")),
        m_w_(params.number("m_w")),
        c_w_(params.number("c_w")) {}

  static nearfar::LossTraits traits(const nearfar::Params&) {
    return {.views = 2, .head = nearfar::HeadKind::embedding, .normalized_embedding = true, .capturable = true};
  }

  at::Tensor forward(const nearfar::LossInput& input) override {      // [N,E] -> []
    const at::Tensor similarity = input.output.mm(input.output.t());  // [N,N]; each pair once: i < j
    const at::Tensor same = input.labels.unsqueeze(0).eq(input.labels.unsqueeze(1));
    const at::Tensor within = same.triu(1), between = same.logical_not().triu(1);
    // Weights are constants of the step: no gradient flows through them.
    const at::Tensor fixed = similarity.detach();
    const at::Tensor pull = log_sum_exp(similarity.mul(fixed.mul(-m_w_).add(c_w_).sigmoid()).div(-tau_), within);
    const at::Tensor push = log_sum_exp(similarity.mul(fixed.mul(m_b_).sub(c_b_).sigmoid()).div(tau_), between);
    // The log-sum-exp of nothing is -inf and its ELU is -1, with no gradient: OpenOOD's value for a batch of one class,
    // or of singletons.
    const at::Tensor both = within.any().logical_and(between.any());
    return at::where(both, at::elu(pull.add(push)), input.output.sum().mul(0).sub(1));
  }

 private:
  /// Over the pairs where `mask` is true. Others are not taken out, which would ask the device how many there are: they
  /// weigh e^-1e30 = 0; with -inf a batch without any pair would have NaN for a gradient.
  static at::Tensor log_sum_exp(const at::Tensor& pairs, const at::Tensor& mask) {
    return pairs.masked_fill(mask.logical_not(), -1e30).flatten().logsumexp(0);
  }

  double tau_, m_b_, c_b_, m_w_, c_w_;
};

}  // namespace

NEARFAR_LOSS(ReweightOod, .name = "reweightood", .version = "1.0.0",
             .summary = "contrastive loss with reweighted pairs over two views",
             .reference = "CVPR Workshops 2024, ReweightOOD: Loss Reweighting for Distance-based OOD Detection",
             .params = kParams)
