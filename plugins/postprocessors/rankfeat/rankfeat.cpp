// RankFeat: energy of the last two stages without their largest singular value. Song, Sebe and Wang 2022,
// arXiv:2209.08590.
#include "../../common/counter_random.h"

#include <nearfar/plugin.h>

#include <ATen/ops/linalg_eigh.h>

#include <cstdint>
#include <string>
#include <tuple>

namespace {

constexpr nearfar::Param kParams[] = {
    {"temperature", 1.0, 1e-3, 1e6, "T of the energy"},
    {"accelerate", false, "20 power iterations in place of the exact singular vectors"},
    {"seed", 0, 0, 2147483647, "of the vector that power iterations begin with"}};
constexpr int kIterations = 20;

/// Maps as matrices [B,c,hw] without s1 u1 v1^T. The shorter of the two vectors is the eigenvector of a Gram matrix, in
/// float64: squaring doubles the condition, and float64 has the digits for it. With it the product is A v v^T = s1 u1
/// v1^T, or u u^T A.
at::Tensor without_largest(const at::Tensor& maps) {
  const bool tall = maps.size(1) >= maps.size(2);
  const at::Tensor exact = maps.toType(at::kDouble);
  const at::Tensor gram = tall ? exact.transpose(1, 2).bmm(exact) : exact.bmm(exact.transpose(1, 2));
  const at::Tensor vectors = std::get<1>(at::linalg_eigh(gram));  // by ascending eigenvalue
  const at::Tensor first = vectors.narrow(2, vectors.size(2) - 1, 1);
  const at::Tensor part =
      tall ? exact.bmm(first).bmm(first.transpose(1, 2)) : first.bmm(first.transpose(1, 2).bmm(exact));
  return exact.sub(part).toType(at::kFloat);
}

at::Tensor unit_rows(const at::Tensor& rows) { return rows.div(rows.norm(2, {2}, true).add_(1e-10)); }

/// The same by power iterations from one random vector for all images.
at::Tensor without_iterated(const at::Tensor& maps, std::int64_t seed) {
  const at::Tensor start =
      nearfar::common::mixed_indices(maps.size(1), seed, maps.options()).toType(at::kFloat).div_(0x1p63);
  at::Tensor u = start.view({1, 1, -1}).expand({maps.size(0), 1, maps.size(1)}), v;
  for (int i = 0; i < kIterations; ++i) {
    v = unit_rows(u.bmm(maps)).transpose(1, 2);
    u = unit_rows(maps.bmm(v).transpose(1, 2));
  }
  const at::Tensor sigma = u.bmm(maps).bmm(v);
  return maps.sub(u.transpose(1, 2).bmm(v.transpose(1, 2)).mul_(sigma));
}

class RankFeat final : public nearfar::Postprocessor {
 public:
  explicit RankFeat(const nearfar::Params& params)
      : temperature_(params.number("temperature")),
        accelerate_(params.boolean("accelerate")),
        seed_(params.integer("seed")) {}

  at::Tensor observe(nearfar::NetworkBatch& batch) const override {  // -> [B,C]: the mean of two logits
    const std::int64_t last = batch.stages() - 1;
    if (last < 1)
      throw nearfar::Error(nearfar::ErrorKind::data, "the network has one stage; rankfeat changes the last two");
    return logits_without(batch, last).add(logits_without(batch, last - 1)).div_(2);
  }

  at::Tensor score(const nearfar::FeatureBatch& batch) const override {  // [N,C] -> [N]
    return batch.observed.div(temperature_).logsumexp(1).mul_(-temperature_);
  }

 private:
  at::Tensor logits_without(nearfar::NetworkBatch& batch, std::int64_t stage) const {
    const at::Tensor& map = batch.map(stage);
    const at::Tensor matrices = map.flatten(2);
    const at::Tensor changed = accelerate_ ? without_iterated(matrices, seed_) : without_largest(matrices);
    return batch.forward_from(stage, changed.view_as(map)).logits;
  }

  double temperature_;
  bool accelerate_;
  std::int64_t seed_;
};

}  // namespace

NEARFAR_POSTPROCESSOR(RankFeat, .name = "rankfeat", .version = "1.0.0",
                      .summary = "energy without the largest singular value of the last feature maps",
                      .reference = "arXiv:2209.08590", .needs = nearfar::kLogits | nearfar::kMapStatistics,
                      .params = kParams, .observed_params = "accelerate,seed")
