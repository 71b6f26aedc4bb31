// Scores a second of the knn plugin, through the host as a run does: knn/BANK/WIDTH/QUERIES. The answer is checked
// against a full sort first. Compare runs of one machine and one OMP_NUM_THREADS only.
#include "host/call.h"

#include <ATen/ops/cdist.h>
#include <ATen/ops/randn.h>
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdint>
#include <tuple>

namespace {

nearfar::FeatureBatch unit_rows(std::int64_t rows, std::int64_t width) {
  nearfar::FeatureBatch batch;
  const at::Tensor raw = at::randn({rows, width});
  batch.features = raw.div(raw.norm(2, {1}, true));
  return batch;
}

void knn(benchmark::State& state) {
  const std::int64_t bank_rows = state.range(0), width = state.range(1), query_rows = state.range(2), k = 50;
  nearfar::FitContext context;
  context.train = unit_rows(bank_rows, width);
  const nearfar::FeatureBatch queries = unit_rows(query_rows, width);
  nearfar::PostprocessorHandle scorer(nearfar::load_plugin(NEARFAR_PLUGIN_DIR "/knn.so"), {{"k", k}}, "knn_bench");
  scorer.fit(context);

  const std::int64_t checked = std::min<std::int64_t>(query_rows, 64);
  const at::Tensor distances =
      at::cdist(queries.features.narrow(0, 0, checked).toType(at::kDouble), context.train.features.toType(at::kDouble));
  const at::Tensor wanted = std::get<0>(distances.square().kthvalue(k, 1));
  const double error = scorer.score(queries).narrow(0, 0, checked).sub(wanted).abs().max().item<double>();
  if (error > 2e-6) return state.SkipWithError("wrong answer");

  for (auto _ : state) benchmark::DoNotOptimize(scorer.score(queries).const_data_ptr<float>());
  state.SetItemsProcessed(state.iterations() * query_rows);
  state.counters["GFLOP/s"] = benchmark::Counter(
      2e-9 * static_cast<double>(state.iterations() * query_rows * bank_rows * width), benchmark::Counter::kIsRate);
}

}  // namespace

BENCHMARK(knn)->Args({20000, 128, 2000})->Args({20000, 512, 2000})->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK_MAIN();
