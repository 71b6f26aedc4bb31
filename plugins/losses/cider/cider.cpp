// CIDER: images near the prototype of their class, prototypes far from each other. Ming et al., ICLR 2023.
#include "../../common/unit_rows.h"

#include <nearfar/plugin.h>

#include <ATen/core/Tensor.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/cross_entropy_loss.h>
#include <ATen/ops/eye.h>
#include <ATen/ops/full.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros.h>

#include <cmath>
#include <limits>

namespace {

constexpr nearfar::Param kParams[] = {
    {"w", 2.0, 0.0, 1e4, "weight of the compactness loss"},
    {"tau", 0.1, 1e-4, 1e4, "temperature of the similarities"},
    {"base_tau", 0.07, 1e-4, 1e4, "the compactness loss is scaled by tau / base_tau"},
    {"proto_m", 0.95, 0.0, 1.0, "share of a prototype that is left after one image of its class"}};

class Cider final : public nearfar::Loss {
 public:
  explicit Cider(const nearfar::Params& params)
      : w_(params.number("w")),
        tau_(params.number("tau")),
        base_tau_(params.number("base_tau")),
        proto_m_(params.number("proto_m")) {}

  static nearfar::LossTraits traits(const nearfar::Params&) {
    return {.views = 2, .head = nearfar::HeadKind::embedding, .normalized_embedding = true, .wants_class_means = true};
  }

  void prepare(const nearfar::LossSetup& setup) override {
    prototypes_ = at::zeros({setup.classes, setup.output_width}, at::TensorOptions(at::kFloat).device(setup.device));
  }

  void start(const at::Tensor& class_means) override { prototypes_.copy_(nearfar::common::unit_rows(class_means)); }

  at::Tensor forward(const nearfar::LossInput& input) override {  // [N,E] -> []
    const at::Tensor moved = moved_prototypes(input);             // [C,E], with this batch's gradients
    const at::Tensor fixed = moved.detach();
    prototypes_.copy_(fixed);
    const at::Tensor compactness =
        at::cross_entropy_loss(input.output.mm(fixed.t()).div(tau_), input.labels).mul(tau_ / base_tau_);
    const std::int64_t classes = moved.size(0);
    if (classes < 2) return compactness.mul(w_);  // no other prototype
    const at::Tensor itself = at::eye(classes, fixed.options().dtype(at::kBool));
    const at::Tensor others =
        moved.mm(moved.t()).div(tau_).masked_fill(itself, -std::numeric_limits<double>::infinity());
    const at::Tensor dispersion = others.logsumexp(1).sub(std::log(static_cast<double>(classes - 1))).mean();
    return compactness.mul(w_).add(dispersion);
  }

  std::vector<nearfar::LossTensor> state() override { return {{"prototypes", prototypes_, false}}; }

 private:
  /// The prototypes after one image of the batch after the other. Only images of one class follow each other, so a
  /// round moves every class by its next image: as many rounds as the largest class has images, and the reference's
  /// bits.
  at::Tensor moved_prototypes(const nearfar::LossInput& input) const {
    const at::Tensor& z = input.output;
    const std::int64_t rows = z.size(0), classes = prototypes_.size(0);
    const std::int64_t rounds = input.most_of_a_label > 0 ? input.most_of_a_label : rows;
    const at::Tensor same = input.labels.unsqueeze(0).eq(input.labels.unsqueeze(1));
    const at::Tensor place = same.tril(-1).sum(1);  // [N]: images of its class before it
    const at::Tensor image =                        // [rounds,C]: N where a class has no image left
        at::full({rounds * classes}, rows, place.options())
            .scatter_(0, place.mul(classes).add(input.labels), at::arange(rows, place.options()))
            .view({rounds, classes});
    const at::Tensor none = at::zeros({1, z.size(1)}, z.options().requires_grad(false));
    const at::Tensor padded = at::cat({z, none});
    at::Tensor prototypes = prototypes_.toType(z.scalar_type());
    for (std::int64_t round = 0; round < rounds; ++round) {
      const at::Tensor now = image.select(0, round);
      const at::Tensor next =
          nearfar::common::unit_rows(prototypes.mul(proto_m_).add(padded.index_select(0, now), 1 - proto_m_));
      prototypes = at::where(now.lt(rows).unsqueeze(1), next, prototypes);
    }
    return prototypes;
  }

  double w_, tau_, base_tau_, proto_m_;
  at::Tensor prototypes_;  // [C,E] float32, unit rows; zeros for a class of which no image was seen
};

}  // namespace

NEARFAR_LOSS(Cider, .name = "cider", .version = "1.0.0",
             .summary = "compact classes around moving prototypes that repel each other",
             .reference = "arXiv:2203.04450", .params = kParams)
