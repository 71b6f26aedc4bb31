// Generalised entropy. Liu et al. 2023, CVPR.
#include <nearfar/plugin.h>

#include <ATen/ops/softmax.h>

#include <tuple>

namespace {

constexpr nearfar::Param kParams[] = {{"gamma", 0.1, 1e-3, 100.0, "exponent"},
                                      {"m", 100, 1, 1000000, "how many of the largest probabilities count"}};

class Gen final : public nearfar::Postprocessor {
 public:
  explicit Gen(const nearfar::Params& params) : gamma_(params.number("gamma")), most_(params.integer("m")) {}

  at::Tensor score(const nearfar::FeatureBatch& batch) const override {  // [N,C] -> [N]
    const at::Tensor p = at::softmax(batch.logits, 1);
    const at::Tensor largest = most_ < p.size(1) ? std::get<0>(p.topk(most_, 1)) : p;
    return largest.pow(gamma_).mul(largest.neg().add(1).pow(gamma_)).sum(1);
  }

 private:
  double gamma_;
  std::int64_t most_;
};

}  // namespace

NEARFAR_POSTPROCESSOR(Gen, .name = "gen", .version = "1.0.0",
                      .summary = "generalised entropy of the M largest probabilities",
                      .reference = "CVPR 2023: Liu, Lochman, Zach, GEN", .needs = nearfar::kLogits, .params = kParams,
                      .sweep = "gamma=0.01,0.1,0.5,1,2,5,10;m=10,50,100,200,500,1000", .tuned = true)
