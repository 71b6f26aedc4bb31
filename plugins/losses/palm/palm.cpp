// PALM: each class a mixture of prototypes on the sphere. Lu et al., ICLR 2024, arXiv:2402.02653.
#include "../../common/unit_rows.h"

#include <nearfar/plugin.h>

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/eye.h>
#include <ATen/ops/rand.h>
#include <ATen/ops/zeros_like.h>

#include <algorithm>
#include <limits>

namespace {

constexpr double kContrastTemperature = 0.5;  // a constant of the authors' code

constexpr nearfar::Param kParams[] = {
    {"proto_m", 0.999, 0.0, 1.0, "share of a prototype that is left after a batch"},
    {"n_proto", 6, 1, 1000, "prototypes of a class"},
    {"k", 5, 0, 1000, "prototypes that an image is assigned to at most; 0 = all of its class"},
    {"temp", 0.1, 1e-4, 1e4, "temperature of the likelihood"},
    {"nviews", 2, 1, 2, "augmented views of an image"},
    {"epsilon", 0.05, 1e-2, 1e4, "entropy weight of the assignment"},
    {"sinkhorn_iter", 3, 0, 1000, "iterations of the assignment"},
    {"lambda_pcon", 1.0, 0.0, 1e4, "weight of the contrast between prototypes"}};

/// torch.nn.functional.normalize with p = 1.
at::Tensor shares(const at::Tensor& values, std::int64_t dim) {
  return values.div(values.sum(dim, true).clamp_min(1e-12));  // none is negative
}

class Palm final : public nearfar::Loss {
 public:
  explicit Palm(const nearfar::Params& params)
      : proto_m_(params.number("proto_m")),
        n_proto_(params.integer("n_proto")),
        k_(std::min(params.integer("k"), n_proto_)),
        temp_(params.number("temp")),
        epsilon_(params.number("epsilon")),
        sinkhorn_iter_(params.integer("sinkhorn_iter")),
        lambda_pcon_(params.number("lambda_pcon")) {}

  static nearfar::LossTraits traits(const nearfar::Params& params) {
    return {.views = static_cast<int>(params.integer("nviews")),
            .head = nearfar::HeadKind::embedding,
            .normalized_embedding = true,
            .capturable = true};
  }

  void prepare(const nearfar::LossSetup& setup) override {
    const auto on_device = at::TensorOptions(at::kFloat).device(setup.device);
    const at::Tensor drawn =
        at::rand({n_proto_ * setup.classes, setup.output_width}, at::detail::createCPUGenerator(setup.seed));
    prototypes_ = at::zeros_like(drawn, on_device);
    prototypes_.copy_(nearfar::common::unit_rows(drawn));
    class_of_ = at::arange(setup.classes, on_device.dtype(at::kLong)).repeat({n_proto_});
  }

  at::Tensor forward(const nearfar::LossInput& input) override {  // [N,E] -> []
    const at::Tensor& z = input.output;
    const at::Tensor own = input.labels.unsqueeze(1).eq(class_of_.unsqueeze(0));  // [N,K]
    const at::Tensor before = prototypes_.toType(z.scalar_type());
    const at::Tensor first = assignment(z.detach(), before).mul(own);
    const at::Tensor taken = nearest(first);
    // Each prototype goes towards the mean of its images; no gradient through who they are, but through where.
    const at::Tensor weights = shares(shares(first.mul(taken), 1), 0);
    const at::Tensor moved =
        nearfar::common::unit_rows(before.mul(proto_m_).add(weights.t().mm(z), 1 - proto_m_));  // [K,E]
    const at::Tensor fixed = moved.detach();
    prototypes_.copy_(fixed);

    const at::Tensor logits = z.mm(fixed.t()).div(temp_);
    const at::Tensor towards = shares(assignment(z.detach(), fixed).mul(own).mul(taken), 1);
    const at::Tensor likelihood = logits.logsumexp(1).sub(towards.mul(logits).sum(1)).mean();
    return lambda_pcon_ > 0 && moved.size(0) > 1 ? likelihood.add(contrast(moved), lambda_pcon_) : likelihood;
  }

  std::vector<nearfar::LossTensor> state() override { return {{"prototypes", prototypes_, false}}; }

 private:
  /// [N,K], rows that sum to 1: Sinkhorn and Knopp's iteration, so that all prototypes get about the same share of the
  /// batch (Cuturi 2013).
  at::Tensor assignment(const at::Tensor& z, const at::Tensor& prototypes) const {
    at::Tensor q = z.mm(prototypes.t()).div(epsilon_);
    q = q.sub(q.max()).exp();  // the sum is divided out again: the largest is 1, so none overflows
    q = q.div(q.sum());
    for (std::int64_t i = 0; i < sinkhorn_iter_; ++i) {
      q = shares(q, 0).div(static_cast<double>(q.size(1)));
      q = shares(q, 1).div(static_cast<double>(q.size(0)));
    }
    return q.mul(static_cast<double>(q.size(0)));
  }

  /// [N,K] of 0 and 1: the k largest of a row.
  at::Tensor nearest(const at::Tensor& assigned) const {
    if (k_ == 0) return assigned.gt(-1).toType(assigned.scalar_type());
    return at::zeros_like(assigned).scatter_(1, std::get<1>(assigned.topk(k_, 1)), 1);
  }

  /// Each prototype is pulled to the others of its class and pushed from all others.
  at::Tensor contrast(const at::Tensor& prototypes) const {
    const at::Tensor itself = at::eye(prototypes.size(0), class_of_.options().dtype(at::kBool));
    const at::Tensor same = class_of_.unsqueeze(0).eq(class_of_.unsqueeze(1)).logical_and(itself.logical_not());
    const at::Tensor similarity = prototypes.mm(prototypes.t()).div(kContrastTemperature);
    const at::Tensor others = similarity.masked_fill(itself, -std::numeric_limits<double>::infinity()).logsumexp(1);
    const at::Tensor pull = shares(same.toType(prototypes.scalar_type()), 1).mul(similarity).sum(1);
    return others.sub(pull).mean();
  }

  double proto_m_;
  std::int64_t n_proto_, k_;
  double temp_, epsilon_;
  std::int64_t sinkhorn_iter_;
  double lambda_pcon_;
  at::Tensor prototypes_;  // [K,E] float32, unit rows; K = n_proto * C, prototype k * C + c is the k-th of class c
  at::Tensor class_of_;    // [K] int64
};

}  // namespace

NEARFAR_LOSS(Palm, .name = "palm", .version = "1.0.0",
             .summary = "likelihood under a mixture of prototypes for each class, and contrast between prototypes",
             .reference = "arXiv:2402.02653", .params = kParams)
