// Distance to the k-th nearest train image on normalised features. Sun et al. 2022, arXiv:2204.06507.
#include <nearfar/plugin.h>

#include <string>

#include "../../common/kth_distance.h"

namespace {

constexpr nearfar::Param kParams[] = {{"k", 50, 1, 1000000, "which nearest train image counts"}};

class Knn final : public nearfar::Postprocessor {
 public:
  explicit Knn(const nearfar::Params& params) : k_(params.integer("k")) {}

  void fit(const nearfar::FitContext& context) override {
    const std::int64_t rows = context.train.normalized.size(0);
    if (k_ > rows) {
      throw nearfar::Error(nearfar::ErrorKind::config, "k is " + std::to_string(k_) + " but there are " + std::to_string(rows) +
                                                           " train images; give a k of at most that");
    }
    bank_ = context.train.normalized.clone();
    bank_norms_ = bank_.square().sum(1);
  }

  at::Tensor score(const nearfar::FeatureBatch& batch) const override {  // [N,D] -> [N]
    return nearfar::common::kth_squared_distance(batch.normalized, bank_, bank_norms_, k_);
  }

 private:
  std::int64_t k_;
  at::Tensor bank_;        // [M,D] float32, unit rows
  at::Tensor bank_norms_;  // [M] float32
};

}  // namespace

NEARFAR_POSTPROCESSOR(Knn, .name = "knn", .version = "1.0.0",
                      .summary = "squared distance to the k-th nearest train image, normalised features", .reference = "arXiv:2204.06507",
                      .needs = nearfar::kNormalizedFeatures | nearfar::kTrain, .params = kParams, .sweep = "k=50,100,200,500,1000",
                      .tuned = true)
