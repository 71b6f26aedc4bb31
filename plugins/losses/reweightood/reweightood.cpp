// ReweightOOD: every pair of a batch weighted by how far it still is from done. Regmi et al., CVPR workshops 2024.
#include <nearfar/plugin.h>

#include <ATen/ops/elu.h>

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
    return {.views = 2, .head = nearfar::HeadKind::embedding, .normalized_embedding = true};
  }

  at::Tensor forward(const nearfar::LossInput& input) override {      // [N,E] -> []
    const at::Tensor similarity = input.output.mm(input.output.t());  // [N,N]; each pair once: i < j
    const at::Tensor same = input.labels.unsqueeze(0).eq(input.labels.unsqueeze(1));
    const at::Tensor within = similarity.masked_select(same.triu(1));
    const at::Tensor between = similarity.masked_select(same.logical_not().triu(1));
    // The log-sum-exp of nothing is -inf and its ELU is -1, with no gradient: OpenOOD's value for a batch of one class,
    // or of singletons.
    if (within.numel() == 0 || between.numel() == 0) return input.output.sum().mul(0).sub(1);
    // Weights are constants of the step: no gradient flows through them.
    const at::Tensor within_weight = within.detach().mul(-m_w_).add(c_w_).sigmoid();
    const at::Tensor between_weight = between.detach().mul(m_b_).sub(c_b_).sigmoid();
    const at::Tensor pull = within.mul(within_weight).div(-tau_).logsumexp(0);
    const at::Tensor push = between.mul(between_weight).div(tau_).logsumexp(0);
    return at::elu(pull.add(push));
  }

 private:
  double tau_, m_b_, c_b_, m_w_, c_w_;
};

}  // namespace

NEARFAR_LOSS(ReweightOod, .name = "reweightood", .version = "1.0.0",
             .summary = "contrastive loss with reweighted pairs over two views",
             .reference = "CVPR Workshops 2024, ReweightOOD: Loss Reweighting for Distance-based OOD Detection",
             .params = kParams)
