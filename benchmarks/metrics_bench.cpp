// Times the four ranking metrics on one thread. The answer is checked once, before anything is timed.
//
// Without more: synthetic scores, half ID and half OOD, fine (`tied:0`) and rounded to 1/100 (`tied:1`).
// NEARFAR_BENCH_ID=id.npy NEARFAR_BENCH_OOD=ood.npy: these scores instead, one benchmark named Files, whose counters
// are the answer; that is how peers/metrics_ratio.py compares us with scikit-learn on the same arrays.
#include "base/error.h"
#include "base/npy.h"
#include "metrics/ranking.h"

#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <memory>
#include <random>
#include <span>
#include <vector>

namespace nearfar {
namespace {

using Scores = std::vector<float>;

struct Sides {
  Scores id, ood;
};

Scores normal_scores(std::mt19937& random, std::size_t size, float mean, bool tied) {
  std::normal_distribution<float> normal(mean);
  Scores scores(size);
  for (float& score : scores) {
    score = normal(random);
    if (tied) score = std::round(score * 100) / 100;
  }
  return scores;
}

/// What the two arguments of a benchmark ask for.
Sides sides(const benchmark::State& state) {
  std::mt19937 random(1);
  const auto half = static_cast<std::size_t>(state.range(0)) / 2;
  const bool tied = state.range(1) != 0;
  return {.id = normal_scores(random, half, 0, tied), .ood = normal_scores(random, half, 1, tied)};
}

/// A hand-worked case (tests/metrics/ranking_test.cpp), repeated so that the radix sort is what gets checked: k copies
/// of every score change neither AUROC nor FPR@95.
void check_answer() {
  Scores id, ood;
  for (int copy = 0; copy < 1000; ++copy) {
    id.insert(id.end(), {1, 4, 2});
    ood.insert(ood.end(), {5, 3});
  }
  const OodMetrics m = ood_metrics(id, ood);
  if (std::abs(m.auroc - 5.0 / 6) > 1e-15 || m.fpr95 != 1.0 / 3) {
    throw Error(ErrorKind::internal,
                fmt::format("wrong answer: auroc {}, fpr95 {}; 5/6 and 1/3 are right", m.auroc, m.fpr95));
  }
}

/// Everything, from two unsorted arrays.
void both_sides(benchmark::State& state) {
  const auto [id, ood] = sides(state);
  for (auto _ : state) benchmark::DoNotOptimize(ood_metrics(id, ood));
  state.SetItemsProcessed(state.iterations() * state.range(0));
}

/// One more OOD set against an ID side that is already sorted.
void next_set(benchmark::State& state) {
  const auto [id, ood] = sides(state);
  const SortedScores<float> sorted_id(id, Side::id);
  for (auto _ : state) benchmark::DoNotOptimize(ood_metrics(sorted_id, ood));
  state.SetItemsProcessed(state.iterations() * state.range(0));
}

/// Copies of the files' scores, so that timing never waits for a disk.
template <class T>
void register_files(const NpyArray& id_file, const NpyArray& ood_file) {
  const auto copy = [](std::span<const T> values) {
    return std::make_shared<const std::vector<T>>(values.begin(), values.end());
  };
  const auto id = copy(id_file.values<T>(1)), ood = copy(ood_file.values<T>(1));
  benchmark::RegisterBenchmark("Files", [id, ood](benchmark::State& state) {
    OodMetrics m;
    for (auto _ : state) benchmark::DoNotOptimize(m = ood_metrics(*id, *ood));
    state.counters = {{"auroc", m.auroc}, {"fpr95", m.fpr95}, {"aupr_in", m.aupr_in}, {"aupr_out", m.aupr_out}};
  })->Unit(benchmark::kMicrosecond);
}

void register_all() {
  const char* id = std::getenv("NEARFAR_BENCH_ID");
  const char* ood = std::getenv("NEARFAR_BENCH_OOD");
  if (id != nullptr && ood != nullptr) {
    const NpyArray id_file(id), ood_file(ood);
    if (id_file.type() == NpyType::float64) return register_files<double>(id_file, ood_file);
    return register_files<float>(id_file, ood_file);
  }
  for (auto* registered :
       {benchmark::RegisterBenchmark("BothSides", both_sides), benchmark::RegisterBenchmark("NextSet", next_set)}) {
    registered->ArgNames({"scores", "tied"})
        ->ArgsProduct({{36'000, 100'000, 1'000'000}, {0, 1}})
        ->Unit(benchmark::kMicrosecond);
  }
}

}  // namespace
}  // namespace nearfar

int main(int argc, char** argv) {
  try {
    nearfar::check_answer();
    nearfar::register_all();
    benchmark::Initialize(&argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 4;
    benchmark::RunSpecifiedBenchmarks();
    return 0;
  } catch (const std::exception& error) {
    fmt::print(stderr, "metrics_bench: {}\n", error.what());
    return 3;
  }
}
