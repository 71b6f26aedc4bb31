// Mahalanobis distance to the nearest class. Lee et al. 2018, arXiv:1807.03888, without input noise and layer ensemble.
#include <nearfar/plugin.h>

#include <algorithm>
#include <limits>

#include "../../common/class_statistics.h"
#include "../../common/nearest_mean.h"

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
    nearest_ = nearfar::common::NearestMean(covariance, means.index_select(0, counts.gt(0).nonzero().squeeze(1)));
  }

  at::Tensor score(const nearfar::FeatureBatch& batch) const override {  // [N,D] -> [N]
    const std::int64_t total = batch.features.size(0);
    at::Tensor scores = batch.features.new_empty({total});
    for (std::int64_t first = 0; first < total; first += kScoreBlock) {
      const std::int64_t count = std::min(kScoreBlock, total - first);
      const at::Tensor distances = nearest_.distances(prepared(batch.features.narrow(0, first, count)));
      scores.narrow(0, first, count).copy_(distances.clamp_max(std::numeric_limits<float>::max()));  // finite for finite features
    }
    return scores;
  }

 private:
  at::Tensor prepared(const at::Tensor& features) const {
    return normalize_ ? features.div(features.norm(2, {1}, true).clamp_min(1e-12)) : features;
  }

  bool normalize_;
  nearfar::common::NearestMean nearest_;
};

}  // namespace

NEARFAR_POSTPROCESSOR(Mds, .name = "mds", .version = "1.0.0", .summary = "Mahalanobis distance to the nearest class, shared covariance",
                      .reference = "arXiv:1807.03888", .needs = nearfar::kFeatures | nearfar::kTrain, .params = kParams)
