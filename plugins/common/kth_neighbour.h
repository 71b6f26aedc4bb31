#pragma once
/// The scorer that knn and cider have in common: squared distance to the k-th nearest train image, on normalised
/// features.
#include "kth_distance.h"

#include <nearfar/plugin.h>

#include <cstdint>
#include <string>

namespace nearfar::common {

class KthNeighbour final : public Postprocessor {
 public:
  static constexpr Needs kNeeds = kFeatures | kTrain;
  static constexpr Param kParams[] = {{"k", 50, 1, 1000000, "which nearest train image counts"}};
  static constexpr const char* kSweep = "k=50,100,200,500,1000";  // OpenOOD's, for both

  explicit KthNeighbour(const Params& params) : k_(params.integer("k")) {}

  void fit(const FitContext& context) override {
    const std::int64_t rows = context.train.features.size(0);
    if (k_ > rows) {
      throw Error(ErrorKind::config, "k is " + std::to_string(k_) + " but there are " + std::to_string(rows) +
                                         " train images; give a k of at most that");
    }
    bank_ = UnitBank(context.train.features);
  }

  at::Tensor score(const FeatureBatch& batch) const override {  // [N,D] -> [N]
    return bank_.kth_squared_distance(batch.features, k_);
  }

 private:
  std::int64_t k_;
  UnitBank bank_;
};

}  // namespace nearfar::common
