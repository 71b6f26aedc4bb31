// ReweightOOD: every pair of a batch weighted by how far it still is from done. Regmi et al., CVPR workshops 2024.
#include <nearfar/contrastive.h>
#include <nearfar/plugin.h>

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

  at::Tensor forward(const nearfar::LossInput& input) override {  // [N,E] -> []
    return nearfar::reweighted_pairs(input.output, input.labels, tau_, m_b_, c_b_, m_w_, c_w_,
                                     /*largest=*/1);
  }

 private:
  double tau_, m_b_, c_b_, m_w_, c_w_;
};

}  // namespace

NEARFAR_LOSS(ReweightOod, .name = "reweightood", .version = "1.1.0",
             .summary = "contrastive loss with reweighted pairs over two views",
             .reference = "CVPR Workshops 2024, ReweightOOD: Loss Reweighting for Distance-based OOD Detection",
             .params = kParams)
