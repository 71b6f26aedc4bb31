// Set-up and scores of the mds plugin, through the host as a run does: fit/ROWS/WIDTH/CLASSES and
// score/ROWS/WIDTH/CLASSES. The answer is checked against the textbook form first. Compare runs of one machine and one
// OMP_NUM_THREADS only.
#include "host/call.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/full.h>
#include <ATen/ops/linalg_inv.h>
#include <ATen/ops/randn.h>
#include <benchmark/benchmark.h>

#include <cmath>
#include <cstdint>
#include <limits>

namespace {

/// Gaussian classes around random centres, with a covariance of condition 1e4.
nearfar::FitContext train_set(std::int64_t rows, std::int64_t width, std::int64_t classes) {
  nearfar::FitContext context;
  context.classes = classes;
  context.train.labels = at::arange(rows).remainder(classes);
  const at::Tensor scales =
      at::arange(width).toType(at::kFloat).mul(-2.0 * std::log(10.0) / static_cast<double>(width)).exp();
  context.train.features =
      at::randn({rows, width}).mul_(scales).add_(at::randn({classes, width}).index_select(0, context.train.labels));
  return context;
}

nearfar::PostprocessorHandle mds() { return {nearfar::load_plugin(NEARFAR_PLUGIN_DIR "/mds.so"), {}, "mds_bench"}; }

/// Class by class in float64, with the inverse covariance.
at::Tensor textbook(const nearfar::FitContext& context, const at::Tensor& queries) {
  const at::Tensor features = context.train.features.toType(at::kDouble), labels = context.train.labels;
  at::Tensor centred = features.clone(), means = at::full({context.classes, features.size(1)}, 0, features.options());
  for (std::int64_t c = 0; c < context.classes; ++c) {
    const at::Tensor own = labels.eq(c).nonzero().squeeze(1);
    means[c].copy_(features.index_select(0, own).mean(0));
  }
  centred.sub_(means.index_select(0, labels));
  const at::Tensor precision = at::linalg_inv(centred.t().mm(centred).div(features.size(0)));
  at::Tensor nearest = at::full({queries.size(0)}, std::numeric_limits<double>::infinity(), features.options());
  for (std::int64_t c = 0; c < context.classes; ++c) {
    const at::Tensor away = queries.toType(at::kDouble).sub(means[c]);
    nearest = nearest.minimum(away.mm(precision).mul(away).sum(1));
  }
  return nearest;
}

void fit(benchmark::State& state) {
  const nearfar::FitContext context = train_set(state.range(0), state.range(1), state.range(2));
  nearfar::PostprocessorHandle scorer = mds();
  for (auto _ : state) scorer.fit(context);
  state.SetItemsProcessed(state.iterations() * state.range(0));
}

void score(benchmark::State& state) {
  const nearfar::FitContext context = train_set(4 * state.range(1), state.range(1), state.range(2));
  nearfar::FeatureBatch queries;
  queries.features = at::randn({state.range(0), state.range(1)});
  nearfar::PostprocessorHandle scorer = mds();
  scorer.fit(context);

  const at::Tensor few = queries.features.narrow(0, 0, 64), wanted = textbook(context, few);
  const at::Tensor error = scorer.score({few, {}, {}, {}}).sub(wanted).abs().max().div(wanted.abs().max());
  if (error.item<double>() > 1e-5) return state.SkipWithError("wrong answer");

  for (auto _ : state) benchmark::DoNotOptimize(scorer.score(queries).const_data_ptr<float>());
  state.SetItemsProcessed(state.iterations() * state.range(0));
}

}  // namespace

BENCHMARK(fit)->Args({20000, 128, 10})->Args({20000, 512, 100})->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK(score)
    ->Args({2000, 128, 10})
    ->Args({2000, 512, 10})
    ->Args({2000, 512, 100})
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();
BENCHMARK_MAIN();
