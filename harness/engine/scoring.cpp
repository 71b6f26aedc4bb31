#include "engine/scoring.h"

#include <ATen/ops/empty.h>

#include <algorithm>
#include <array>

#include "base/npy.h"
#include "base/stopwatch.h"

namespace nearfar {
namespace {
// Large enough that GEMMs run at full speed, small enough that an N x block intermediate stays in cache-friendly memory.
constexpr std::int64_t kBlockRows = 4096;

at::Tensor block_of(const at::Tensor& whole, std::int64_t first, std::int64_t rows) {
  return whole.defined() ? whole.narrow(0, first, rows) : whole;
}
}  // namespace

double fit(PostprocessorHandle& postprocessor, const FeatureFolder& folder) {
  const Stopwatch watch;
  const Needs needs = postprocessor.needs();
  FitContext context;
  if ((needs & kTrain) != 0) context.train = folder.set("train", needs);
  if ((needs & kValidation) != 0) context.val = folder.set("val", needs);
  if ((needs & kHeadWeights) != 0) context.head = folder.head();
  context.classes = folder.classes();
  postprocessor.fit(context);
  return watch.seconds();
}

at::Tensor score_set(const PostprocessorHandle& postprocessor, const FeatureFolder& folder, const std::string& set) {
  const FeatureBatch whole = folder.set(set, postprocessor.needs());
  const std::int64_t count = rows(whole);
  at::Tensor scores = at::empty({count}, at::TensorOptions().dtype(at::kFloat));
  for (std::int64_t first = 0; first < count; first += kBlockRows) {
    const std::int64_t n = std::min(kBlockRows, count - first);
    const FeatureBatch block{
        block_of(whole.features, first, n), block_of(whole.normalized, first, n), block_of(whole.logits, first, n), {}};
    scores.narrow(0, first, n).copy_(postprocessor.score(block));
  }
  return scores;
}

void save_scores(const std::filesystem::path& file, const at::Tensor& scores) {
  const std::array<std::int64_t, 1> shape{scores.size(0)};
  write_npy<float>(file, shape, std::span<const float>(scores.const_data_ptr<float>(), static_cast<std::size_t>(scores.numel())));
}

}  // namespace nearfar
