// Softmax probability under dropout at test time. Gal and Ghahramani 2016, arXiv:1506.02142.
#include "../../common/counter_random.h"
#include "../../common/energy.h"

#include <nearfar/plugin.h>

#include <ATen/ops/softmax.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <string>

namespace {

constexpr nearfar::Param kParams[] = {
    {"dropout_p", 0.5, 0.0, 0.999, "probability that a feature is dropped"},
    {"dropout_times", 5, 1, 100000, "how many passes are averaged"},
    {"masks", "row", "row|shared", "row: every image has masks of its own; shared: the same for all"},
    {"seed", 0, 0, 2147483647, "of the masks"}};
constexpr std::int64_t kScoreBlock = 1024;  // rows; 4 MiB of int64 at D = 512

class Dropout final : public nearfar::Postprocessor {
 public:
  explicit Dropout(const nearfar::Params& params)
      : p_(params.number("dropout_p")),
        times_(params.integer("dropout_times")),
        by_row_(params.text("masks") == "row"),
        seed_(params.integer("seed")) {}

  void fit(const nearfar::FitContext& context) override {
    weight_ = context.head.weight.clone();
    bias_ = context.head.bias.clone();
  }

  at::Tensor score(const nearfar::FeatureBatch& batch) const override {  // [N,D] -> [N]
    const std::int64_t total = batch.features.size(0);
    at::Tensor scores = batch.features.new_empty({total});
    for (std::int64_t first = 0; first < total; first += kScoreBlock) {
      const at::Tensor block = batch.features.narrow(0, first, std::min(kScoreBlock, total - first));
      // The head is linear: the mean of its logits is the logits of the mean feature.
      const at::Tensor logits = nearfar::common::head_logits(block.mul(mean_masks(block)), weight_, bias_);
      scores.narrow(0, first, block.size(0)).copy_(at::softmax(logits, 1).amax(1).neg());
    }
    return scores;
  }

 private:
  /// [n,D], or [1,D] where masks are shared: the share of passes that keep a feature, over 1 - p.
  at::Tensor mean_masks(const at::Tensor& features) const {
    const std::int64_t width = features.size(1);
    const auto options = features.options();
    at::Tensor keys = at::zeros({1, 1}, options.dtype(at::kLong));
    if (by_row_)
      keys = nearfar::common::row_keys(features, nearfar::common::mixed_indices(width, seed_, options)).unsqueeze(1);
    at::Tensor kept = at::zeros({keys.size(0), width}, options);
    // A mixed int64 is uniform: it lies below this with probability p.
    const auto threshold = static_cast<std::int64_t>(p_ * 0x1p64 - 0x1p63);
    for (std::int64_t pass = 0; pass < times_; ++pass) {
      const at::Tensor numbers =
          nearfar::common::mix_(keys.add(nearfar::common::mixed_indices(width, seed_ + ((pass + 1) << 32), options)));
      kept.add_(numbers.ge(threshold));
    }
    return kept.div_(static_cast<double>(times_) * (1 - p_));
  }

  double p_;
  std::int64_t times_;
  bool by_row_;
  std::int64_t seed_;
  at::Tensor weight_, bias_;  // [C,D], [C]
};

}  // namespace

NEARFAR_POSTPROCESSOR(Dropout, .name = "dropout", .version = "1.0.0",
                      .summary = "minus the largest probability of mean logits under dropout",
                      .reference = "arXiv:1506.02142", .needs = nearfar::kFeatures | nearfar::kHeadWeights,
                      .params = kParams)
