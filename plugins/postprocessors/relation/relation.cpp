// Neural relation graph. Kim et al. 2023, arXiv:2301.12321.
#include <nearfar/plugin.h>

#include <ATen/ops/empty_like.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/softmax.h>
#include <ATen/ops/threshold.h>

#include <algorithm>
#include <cstdint>

namespace {

constexpr nearfar::Param kParams[] = {{"pow", 1.0, 1e-3, 100.0, "exponent of each relation"}};
constexpr double kSmallest = 0.03;         // relations up to this do not count
constexpr std::int64_t kQueryBlock = 512;  // rows
constexpr std::int64_t kTrainTile = 4096;  // rows; with a query block, two tiles of 8 MiB

/// Rows by their lengths: f / sqrt(|f|^2 + 1e-10).
at::Tensor unit(const at::Tensor& features) { return features.div(features.square().sum(1, true).add_(1e-10).sqrt_()); }

class Relation final : public nearfar::Postprocessor {
 public:
  explicit Relation(const nearfar::Params& params) : pow_(params.number("pow")) {}

  void fit(const nearfar::FitContext& context) override {
    if (context.train.features.size(0) == 0)
      throw nearfar::Error(nearfar::ErrorKind::data, "there are no train images to relate to");
    features_ = unit(context.train.features);
    probabilities_ = at::softmax(context.train.logits, 1);
  }

  at::Tensor score(const nearfar::FeatureBatch& batch) const override {  // [N,D], [N,C] -> [N]
    const std::int64_t total = batch.features.size(0);
    at::Tensor scores = batch.features.new_empty({total});
    at::Tensor dots = batch.features.new_empty({kQueryBlock * kTrainTile}), alike = at::empty_like(dots);
    for (std::int64_t first = 0; first < total; first += kQueryBlock) {
      const std::int64_t count = std::min(kQueryBlock, total - first);
      const at::Tensor q = unit(batch.features.narrow(0, first, count)),
                       p = at::softmax(batch.logits.narrow(0, first, count), 1);
      scores.narrow(0, first, count).copy_(relations(q, p, dots, alike).neg_());
    }
    return scores;
  }

 private:
  /// Sum over the train set of relations to the power: [n] float64. `dots` and `alike` are room for a tile.
  at::Tensor relations(const at::Tensor& q, const at::Tensor& p, const at::Tensor& dots,
                       const at::Tensor& alike) const {
    const std::int64_t rows = q.size(0), train = features_.size(0);
    at::Tensor sum = q.new_zeros({rows}, q.options().dtype(at::kDouble));
    for (std::int64_t first = 0; first < train; first += kTrainTile) {
      const std::int64_t count = std::min(kTrainTile, train - first);
      at::Tensor relation = dots.narrow(0, 0, rows * count).view({rows, count}),
                 same = alike.narrow(0, 0, rows * count).view({rows, count});
      at::mm_out(relation, q, features_.narrow(0, first, count).t());
      at::mm_out(same, p, probabilities_.narrow(0, first, count).t());
      // A negative product of features is below the threshold as well: it need not be clipped first.
      at::threshold_(relation.mul_(same), kSmallest, 0);
      if (pow_ != 1) relation.pow_(pow_);
      sum.add_(relation.sum(1, false, at::kDouble));
    }
    return sum;
  }

  double pow_;
  at::Tensor features_;       // [M,D] unit rows
  at::Tensor probabilities_;  // [M,C]
};

}  // namespace

NEARFAR_POSTPROCESSOR(Relation, .name = "relation", .version = "1.0.0",
                      .summary = "how little an image is related to the train images", .reference = "arXiv:2301.12321",
                      .needs = nearfar::kLogits | nearfar::kFeatures | nearfar::kTrain, .params = kParams,
                      .sweep = "pow=1,2,4,6,8", .tuned = true)
