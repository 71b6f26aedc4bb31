#include "engine/bench_fitted.h"
#include "engine/bench_inputs.h"
#include "engine/bench_runs.h"

#include <algorithm>

namespace nearfar {
namespace {

constexpr std::int64_t kBlockRows = 4096;  // as engine/scoring.cpp has it

FeatureBatch block_of(const FeatureBatch& whole, std::int64_t first, std::int64_t count) {
  const auto part = [&](const at::Tensor& tensor) {
    return tensor.defined() ? tensor.narrow(0, first, count) : tensor;
  };
  return {part(whole.features), part(whole.normalized), part(whole.logits), {}, part(whole.observed)};
}

/// The inputs that one side asked for, of those that were made for both.
struct Given {
  FitContext fit;
  FeatureBatch scored;

  Given(const BenchFeatures& made, Needs needs)
      : fit{.train = (needs & kTrain) != 0 ? only_needed(made.fit.train, needs) : FeatureBatch{},
            .val = (needs & kValidation) != 0 ? only_needed(made.fit.val, needs) : FeatureBatch{},
            .head = (needs & kHeadWeights) != 0 ? made.fit.head : HeadWeights{},
            .classes = made.fit.classes},
        scored(only_needed(made.scored, needs)) {}
};

}  // namespace

BenchWork BenchFitted::score(const FeatureBatch& batch) const {
  return {.prepare = {}, .run = [this, &batch] {
            const std::int64_t count = rows(batch);
            for (std::int64_t first = 0; first < count; first += kBlockRows)
              handle_->score(block_of(batch, first, std::min(kBlockRows, count - first)));
          }};
}

std::vector<wire::BenchMeasure> bench_on_features(const BenchSide& subject, const BenchSide& reference,
                                                  const wire::BenchSize& size, const BenchClock& clock,
                                                  at::Device device) {
  BenchFitted a(subject), b(reference);
  const BenchFeatures made = bench_features(size, a.needs() | b.needs(), device);
  const Given of_a(made, a.needs()), of_b(made, b.needs());
  std::vector<wire::BenchMeasure> measures;
  // Both are fitted even where that is nothing worth timing: score() may rely on it.
  a.handle_to_fit().fit(of_a.fit);
  b.handle_to_fit().fit(of_b.fit);
  if (a.has_fit()) {
    measures.push_back(clock.measure("fit", size.train, a.fit(of_a.fit), b.has_fit() ? b.fit(of_b.fit) : BenchWork{}));
  }
  measures.push_back(clock.measure("score", size.rows, a.score(of_a.scored), b.score(of_b.scored)));
  return measures;
}

}  // namespace nearfar
