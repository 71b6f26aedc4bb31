// Virtual-logit matching. Wang et al. 2022, arXiv:2203.10807.
#include "../../common/residual_space.h"

#include <nearfar/plugin.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <string>
#include <tuple>

namespace {

constexpr nearfar::Param kParams[] = {{"dim", 256, 1, 1000000, "main directions taken off; below the features' width"}};

class Vim final : public nearfar::Postprocessor {
 public:
  explicit Vim(const nearfar::Params& params) : dim_(params.integer("dim")) {}

  void fit(const nearfar::FitContext& context) override {
    const at::Tensor &features = context.train.features, &logits = context.train.logits;
    const std::int64_t width = features.size(1);
    if (dim_ >= width) {
      throw nearfar::Error(nearfar::ErrorKind::config,
                           "dim is " + std::to_string(dim_) + " but the features have " + std::to_string(width) +
                               " dimensions: no residual is left; give a dim of at most " + std::to_string(width - 1));
    }
    space_ = nearfar::common::ResidualSpace(features, nearfar::common::head_origin(context.head), dim_);
    const auto [residual, whole] = space_.lengths(features);
    // A residual below float32's resolution of the features is rounding (constant features); dividing by it would give
    // any number.
    const double floor = std::numeric_limits<float>::epsilon() * whole.mean().item<double>();
    const double typical = std::max({residual.mean().item<double>(), floor, 1e-30});
    alpha_ = std::get<0>(logits.max(1)).mean(at::kDouble).item<double>() / typical;
  }

  at::Tensor score(const nearfar::FeatureBatch& batch) const override {  // [N,D], [N,C] -> [N]
    constexpr double kLargest = std::numeric_limits<float>::max();
    return space_.lengths(batch.features)
        .residual.mul_(alpha_)
        .sub_(batch.logits.logsumexp(1))
        .clamp_(-kLargest, kLargest)
        .toType(at::kFloat);
  }

 private:
  std::int64_t dim_;
  nearfar::common::ResidualSpace space_;
  double alpha_ = 0;  // makes the residual as large as the largest logit, on average over the train set
};

}  // namespace

NEARFAR_POSTPROCESSOR(Vim, .name = "vim", .version = "1.0.0",
                      .summary = "residual of the feature as the logit of a virtual class, less the energy",
                      .reference = "arXiv:2203.10807",
                      .needs = nearfar::kLogits | nearfar::kFeatures | nearfar::kHeadWeights | nearfar::kTrain,
                      .params = kParams, .sweep = "dim=256,1000")
