// Fast decision boundary. Liu and Qin 2024, arXiv:2312.11536.
#include "../../common/column_mean.h"

#include <nearfar/plugin.h>

#include <tuple>

namespace {

constexpr nearfar::Param kParams[] = {
    {"distance_as_normalizer", true,
     "divide by the distance to the mean train feature; otherwise by the feature's norm"}};

class Fdbd final : public nearfar::Postprocessor {
 public:
  explicit Fdbd(const nearfar::Params& params) : by_distance_(params.boolean("distance_as_normalizer")) {}

  void fit(const nearfar::FitContext& context) override {
    mean_ = nearfar::common::column_mean(context.train.features);
    const at::Tensor w = context.head.weight.toType(at::kDouble), norms = w.square().sum(1);
    // |w_a - w_b|^2 expanded; 1 on the diagonal, where the numerator is 0.
    const at::Tensor squares = norms.unsqueeze(1).add(norms.unsqueeze(0)).sub(w.mm(w.t()).mul(2)).clamp_min(0);
    between_ = squares.sqrt();
    between_.fill_diagonal_(1);
    // Two classes with one weight have no boundary.
    between_.masked_fill_(between_.eq(0), 1);
  }

  at::Tensor score(const nearfar::FeatureBatch& batch) const override {  // [N,C], [N,D] -> [N]
    const auto [largest, predicted] = batch.logits.max(1, true);
    const at::Tensor gaps = batch.logits.sub(largest).abs().toType(at::kDouble);
    const at::Tensor distance = gaps.div(between_.index_select(0, predicted.squeeze(1))).sum(1);
    const at::Tensor norm =
        (by_distance_ ? batch.features.sub(mean_) : batch.features).norm(2, {1}).toType(at::kDouble);
    return distance.div(norm.clamp_min(1e-30)).neg().toType(at::kFloat);
  }

 private:
  bool by_distance_;
  at::Tensor mean_;     // [D] float32
  at::Tensor between_;  // [C,C] float64: distances of the head's weights
};

}  // namespace

NEARFAR_POSTPROCESSOR(Fdbd, .name = "fdbd", .version = "1.0.0", .summary = "distance to the decision boundaries",
                      .reference = "arXiv:2312.11536",
                      .needs = nearfar::kLogits | nearfar::kFeatures | nearfar::kHeadWeights | nearfar::kTrain,
                      .params = kParams, .sweep = "distance_as_normalizer=true,false", .tuned = true)
