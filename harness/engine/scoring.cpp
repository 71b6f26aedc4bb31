#include "engine/scoring.h"

#include "base/npy.h"
#include "base/stopwatch.h"

#include <ATen/ops/empty.h>

#include <algorithm>
#include <array>

namespace nearfar {
namespace {
// Large enough that GEMMs run at full speed, small enough that an N x block intermediate stays in cache-friendly
// memory.
constexpr std::int64_t kBlockRows = 4096;

at::Tensor block_of(const at::Tensor& whole, std::int64_t first, std::int64_t rows) {
  return whole.defined() ? whole.narrow(0, first, rows) : whole;
}
}  // namespace

double fit(PostprocessorHandle& postprocessor, const FeatureFolder& folder, const Columns& columns) {
  const Stopwatch watch;
  const Needs needs = postprocessor.needs();
  const auto set = [&](const std::string& name) {
    FeatureBatch batch = folder.set(name, needs);
    if (observes(needs) && columns) batch.observed = columns(name, false);
    return batch;
  };
  FitContext context;
  if ((needs & kTrain) != 0) context.train = set("train");
  if ((needs & kValidation) != 0) context.val = set("val");
  if ((needs & kHeadWeights) != 0) context.head = folder.head();
  context.classes = folder.classes();
  postprocessor.fit(context);
  return watch.seconds();
}

at::Tensor score_set(const PostprocessorHandle& postprocessor, const FeatureFolder& folder, const std::string& set,
                     const Columns& columns) {
  FeatureBatch whole = folder.set(set, postprocessor.needs());
  if (observes(postprocessor.needs()) && columns) whole.observed = columns(set, postprocessor.observes_fitted());
  const std::int64_t count = rows(whole);
  at::Tensor scores;
  for (std::int64_t first = 0; first < count; first += kBlockRows) {
    const std::int64_t n = std::min(kBlockRows, count - first);
    const FeatureBatch block{block_of(whole.features, first, n),
                             block_of(whole.normalized, first, n),
                             block_of(whole.logits, first, n),
                             {},
                             block_of(whole.observed, first, n)};
    const at::Tensor part = postprocessor.score(block);
    if (!scores.defined()) scores = at::empty({count}, at::TensorOptions().dtype(part.scalar_type()));
    scores.narrow(0, first, n).copy_(part);
  }
  return scores.defined() ? scores : at::empty({0}, at::TensorOptions().dtype(at::kFloat));
}

void save_scores(const std::filesystem::path& file, const at::Tensor& scores) {
  const std::array<std::int64_t, 1> shape{scores.size(0)};
  const auto write = [&]<class T>(const T* data) {
    write_npy<T>(file, shape, std::span<const T>(data, static_cast<std::size_t>(scores.numel())));
  };
  scores.scalar_type() == at::kDouble ? write(scores.const_data_ptr<double>()) : write(scores.const_data_ptr<float>());
}

}  // namespace nearfar
