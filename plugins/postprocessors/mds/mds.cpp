// Mahalanobis distance to the nearest class. Lee et al. 2018, arXiv:1807.03888, without input noise and layer ensemble.
#include <nearfar/plugin.h>

#include <algorithm>
#include <limits>
#include <vector>

#include "../../common/class_statistics.h"
#include "../../common/whitening.h"

namespace {

constexpr nearfar::Param kParams[] = {{"normalize", false, "use L2-normalised features: ReweightOOD's and PALM's form"}};
constexpr std::int64_t kScoreBlock = 4096;  // rows

class Mds final : public nearfar::Postprocessor {
 public:
  explicit Mds(const nearfar::Params& params) : normalize_(params.boolean("normalize")) {}

  void fit(const nearfar::FitContext& context) override {
    const nearfar::FeatureBatch& train = context.train;
    if (!train.labels.defined()) throw nearfar::Error(nearfar::ErrorKind::data, "the train images have no labels; class means need them");
    const auto rows = [&](std::int64_t first, std::int64_t count) { return prepared(train.features.narrow(0, first, count)); };
    const auto [means, counts] = nearfar::common::class_means(rows, train.labels, context.classes, train.features.size(1));
    const at::Tensor covariance = nearfar::common::within_class_covariance(rows, train.labels, means);
    // An absent class has no mean and no distance (OpenOOD gives NaN there).
    const at::Tensor present = means.index_select(0, counts.gt(0).nonzero().squeeze(1)).toType(at::kDouble);
    centre_ = present.mean(0);
    whitening_ = nearfar::common::whitening(covariance);
    whitened_means_ = present.sub(centre_).mm(whitening_);
    mean_norms_ = whitened_means_.square().sum(1);
  }

  at::Tensor score(const nearfar::FeatureBatch& batch) const override {  // [N,D] -> [N]
    const std::int64_t total = batch.features.size(0);
    at::Tensor scores = batch.features.new_empty({total});
    for (std::int64_t first = 0; first < total; first += kScoreBlock) {
      const std::int64_t count = std::min(kScoreBlock, total - first);
      scores.narrow(0, first, count).copy_(distances(prepared(batch.features.narrow(0, first, count))));
    }
    return scores;
  }

 private:
  at::Tensor prepared(const at::Tensor& features) const {
    return normalize_ ? features.div(features.norm(2, {1}, true).clamp_min(1e-12)) : features;
  }

  /// [n,D] float32 -> [n] float64: min over classes of |z - m_c|^2, expanded. The covariance's condition times float64's epsilon is what
  /// the expansion loses: 1e-9 where the precision's trace is 5e6. In float32 it would lose the third digit.
  at::Tensor distances(const at::Tensor& features) const {
    const at::Tensor z = features.toType(at::kDouble).sub_(centre_).mm(whitening_);  // [n,R]
    const at::Tensor nearest = z.mm(whitened_means_.t()).mul_(-2).add_(mean_norms_).amin(1);
    return nearest.add_(z.square().sum(1)).clamp_(0, std::numeric_limits<float>::max());  // finite for finite features
  }

  bool normalize_;
  at::Tensor centre_;          // [D] float64
  at::Tensor whitening_;       // [D,R] float64
  at::Tensor whitened_means_;  // [C,R] float64, of the classes that are present
  at::Tensor mean_norms_;      // [C] float64
};

}  // namespace

NEARFAR_POSTPROCESSOR(Mds, .name = "mds", .version = "1.0.0", .summary = "Mahalanobis distance to the nearest class, shared covariance",
                      .reference = "arXiv:1807.03888", .needs = nearfar::kFeatures | nearfar::kTrain, .params = kParams)
