// Mahalanobis distance of the stem's channel means after a step that makes it smaller. Lee et al. 2018,
// arXiv:1807.03888, as OpenOOD's v1.5 configuration has it: the first of the layers only.
#include "../../common/class_statistics.h"
#include "../../common/input_step.h"
#include "../../common/whitening.h"

#include <nearfar/plugin.h>

#include <cstdint>
#include <limits>

namespace {

constexpr nearfar::Param kParams[] = {
    {"noise", 0.0014, 0.0, 1.0, "size of the step in the images"},
    {"exact", false, "distances in float64: the reference's float32 loses the third digit"}};
constexpr double kStepStd = 0.5;   // the reference's stand-in for the std of each channel
constexpr std::int64_t kStem = 0;  // stage

/// [B,c,h,w] -> [B,c], summed in the order of PyTorch's own memory layout, as the reference's are.
at::Tensor channel_means(const at::Tensor& map) { return map.contiguous().flatten(2).mean(2); }

class MdsEnsemble final : public nearfar::Postprocessor {
 public:
  explicit MdsEnsemble(const nearfar::Params& params)
      : noise_(params.number("noise")), type_(params.boolean("exact") ? at::kDouble : at::kFloat) {}

  at::Tensor observe(nearfar::NetworkBatch& batch) const override {
    return channel_means(batch.map(kStem));
  }  // -> [B,c]

  void fit(const nearfar::FitContext& context) override {
    const at::Tensor &train = context.train.observed, &labels = context.train.labels;
    if (!labels.defined()) {
      throw nearfar::Error(nearfar::ErrorKind::data, "the train images have no labels; class means need them");
    }
    const auto rows = [&](std::int64_t first, std::int64_t count) {
      return train.narrow(0, first, count).toType(at::kDouble);
    };
    const auto [means, counts] = nearfar::common::class_means(rows, labels, context.classes, train.size(1));
    const at::Tensor root = nearfar::common::whitening(nearfar::common::within_class_covariance(rows, labels, means));
    precision_ = root.mm(root.t()).toType(type_);
    means_ = means.index_select(0, counts.gt(0).nonzero().squeeze(1)).toType(type_);
  }

  at::Tensor observe_fitted(nearfar::NetworkBatch& batch) const override {  // -> [B,1]
    const at::Tensor& map = batch.map(kStem);
    const at::Tensor rows = channel_means(map).toType(type_);
    const at::Tensor slope =
        rows.sub(means_.index_select(0, distances(rows).argmin(1))).mm(precision_);  // of half the distance
    const double area = static_cast<double>(map.size(2) * map.size(3));
    const at::Tensor direction = slope.toType(at::kFloat).div_(area).unsqueeze(2).unsqueeze(3).expand_as(map);
    const at::Tensor step = nearfar::common::signs(batch.map_gradient(kStem, direction)).div_(kStepStd);
    const at::Tensor moved = channel_means(batch.forward_to(kStem, batch.images().sub(step, noise_))).toType(type_);
    constexpr double kMost = std::numeric_limits<float>::max();
    return distances(moved).amin(1, true).div_(2).nan_to_num(kMost).clamp_max_(kMost).toType(at::kFloat);
  }

  at::Tensor score(const nearfar::FeatureBatch& batch) const override { return batch.observed.select(1, 0).clone(); }

 private:
  /// [B,c] -> [B,C]: squared distance to each class, in the reference's order of operations: small eigenvalues of the
  /// covariance make the precision's entries large, so that in float32 the order shows. The diagonal of a product costs
  /// nothing beside the network.
  at::Tensor distances(const at::Tensor& rows) const {
    at::Tensor all = rows.new_empty({rows.size(0), means_.size(0)});
    for (std::int64_t c = 0; c < means_.size(0); ++c) {
      const at::Tensor apart = rows.sub(means_.select(0, c));
      all.select(1, c).copy_(apart.mm(precision_).mm(apart.t()).diagonal());
    }
    return all;
  }

  double noise_;
  at::ScalarType type_;   // of what follows
  at::Tensor precision_;  // [c,c]
  at::Tensor means_;      // [K,c], of the classes that have images
};

}  // namespace

NEARFAR_POSTPROCESSOR(MdsEnsemble, .name = "mds-ensemble", .version = "1.0.0",
                      .summary = "Mahalanobis distance of the stem's channel means after a step in the image",
                      .reference = "arXiv:1807.03888",
                      .needs = nearfar::kMapStatistics | nearfar::kInputGradients | nearfar::kTrain, .params = kParams,
                      .observes_fitted = true)
