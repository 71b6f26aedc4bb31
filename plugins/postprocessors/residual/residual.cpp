// Residual: the length of a feature outside the main directions. Wang et al. 2022, arXiv:2203.10807, table 3.
#include "../../common/residual_space.h"

#include <nearfar/plugin.h>

#include <algorithm>
#include <cstdint>
#include <limits>

namespace {

constexpr nearfar::Param kParams[] = {
    {"dim", 512, 1, 1000000, "main directions taken off; every score is 0 from the features' width on"},
    {"fit", "val", "val|train", "images that the directions come from; OpenOOD's are val"}};

class Residual final : public nearfar::Postprocessor {
 public:
  explicit Residual(const nearfar::Params& params)
      : dim_(params.integer("dim")), train_(params.text("fit") == "train") {}

  void fit(const nearfar::FitContext& context) override {
    const at::Tensor& features = train_ ? context.train.features : context.val.features;
    empty_ = dim_ >= features.size(1);
    if (!empty_) space_ = nearfar::common::ResidualSpace(features, nearfar::common::head_origin(context.head), dim_);
  }

  at::Tensor score(const nearfar::FeatureBatch& batch) const override {  // [N,D] -> [N]
    if (empty_) return batch.features.new_zeros({batch.features.size(0)});
    return space_.lengths(batch.features).residual.clamp_max_(std::numeric_limits<float>::max()).toType(at::kFloat);
  }

 private:
  std::int64_t dim_;
  bool train_, empty_ = false;
  nearfar::common::ResidualSpace space_;
};

}  // namespace

NEARFAR_POSTPROCESSOR(Residual, .name = "residual", .version = "1.0.0",
                      .summary = "length of the feature outside the main directions", .reference = "arXiv:2203.10807",
                      .needs = nearfar::kFeatures | nearfar::kHeadWeights | nearfar::kTrain | nearfar::kValidation,
                      .params = kParams)
