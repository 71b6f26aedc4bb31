// The control: a score that knows nothing.
#include "../../common/counter_random.h"

#include <nearfar/plugin.h>

#include <algorithm>

namespace {

constexpr nearfar::Param kParams[] = {{"seed", 0, 0, 2147483647, "another seed, other scores"}};
constexpr std::int64_t kScoreBlock = 1024;  // rows

class Random final : public nearfar::Postprocessor {
 public:
  explicit Random(const nearfar::Params& params) : seed_(params.integer("seed")) {}

  at::Tensor score(const nearfar::FeatureBatch& batch) const override {  // [N,D] -> [N]
    const std::int64_t total = batch.features.size(0);
    const at::Tensor factors = nearfar::common::mixed_indices(batch.features.size(1), seed_, batch.features.options());
    at::Tensor scores = batch.features.new_empty({total});
    for (std::int64_t first = 0; first < total; first += kScoreBlock) {
      const std::int64_t count = std::min(kScoreBlock, total - first);
      const at::Tensor keys = nearfar::common::row_keys(batch.features.narrow(0, first, count), factors);
      // 24 bits: what a float32 in [0, 1) holds exactly.
      scores.narrow(0, first, count).copy_(keys.bitwise_and(0xffffff).toType(at::kFloat).mul(0x1p-24));
    }
    return scores;
  }

 private:
  std::int64_t seed_;
};

}  // namespace

NEARFAR_POSTPROCESSOR(Random, .name = "random", .version = "1.0.0",
                      .summary = "control: uniform random numbers, AUROC about 50", .reference = "control, no paper",
                      .needs = nearfar::kFeatures, .params = kParams)
