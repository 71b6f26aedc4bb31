// Times an epoch of training images with one decoding thread, uint8 batches as a trainer takes them: the same recipe
// from the files and from copies. NEARFAR_BENCH_BENCHMARK=b.toml NEARFAR_BENCH_ROOT=D name the set `train` (files of
// its list), NEARFAR_BENCH_RECIPE=crop|shift|two-views what is done to it, NEARFAR_BENCH_SIDE=256 adds a training copy.
// That is how peers/train_items_ratio.py compares us. Before anything is timed, exact decoding of the files must give
// what the crops of a copy that keeps every pixel give.
#include "base/error.h"
#include "base/files.h"
#include "base/hash.h"
#include "data/pack.h"
#include "data/train_pack.h"
#include "data/train_stream.h"

#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <exception>
#include <memory>
#include <numeric>
#include <string>
#include <vector>

namespace nearfar {
namespace {

namespace fs = std::filesystem;

AugmentRecipe recipe_of(const std::string& name) {
  if (name == "crop") return {.smallest_crop = 0.08, .flip = true};
  if (name == "shift") return {.shift = 4, .flip = true};
  if (name == "two-views") {
    return {.views = 2,
            .smallest_crop = 0.2,
            .flip = true,
            .jitter = {0.4, 0.4, 0.4, 0.1},
            .jitter_share = 0.8,
            .gray_share = 0.2};
  }
  throw Error(ErrorKind::config, "NEARFAR_BENCH_RECIPE is crop, shift or two-views, not '" + name + "'");
}

struct Subject {
  Benchmark benchmark;
  LoadOptions options;
  TrainStreamOptions stream;
};

/// One epoch; images that were made, and a sum of the pixels for the check.
std::uint64_t epoch_of(TrainStream& stream, std::int64_t epoch, bool sum) {
  std::vector<std::int64_t> order(static_cast<std::size_t>(stream.info().count));
  std::iota(order.begin(), order.end(), 0);
  stream.begin_epoch(epoch, order, 0);
  std::uint64_t total = 0;
  for (TrainSlab slab; stream.next(slab);) {
    if (sum) total = xxh3(std::as_bytes(slab.pixels), total);
    benchmark::DoNotOptimize(slab.pixels.data());
  }
  return total;
}

void check_answer(Subject subject) {
  if (subject.stream.recipe.smallest_crop == 1) return;
  subject.stream.exact_decoding = true;
  subject.stream.pixels = TrainPixels::files;
  TrainStream files(subject.benchmark, "train", subject.options, subject.stream);
  constexpr std::int64_t kWhole = 4096;
  pack_for_training(subject.benchmark, "train", subject.options, kWhole);
  subject.stream.pixels = TrainPixels::short_side;
  subject.stream.side = kWhole;
  TrainStream copy(subject.benchmark, "train", subject.options, subject.stream);
  if (epoch_of(files, 3, true) != epoch_of(copy, 3, true))
    throw Error(ErrorKind::internal, "wrong answer: the files and their copy give other crops");
}

void add(const std::string& name, const Subject& subject) {
  benchmark::RegisterBenchmark(name.c_str(),
                               [subject](benchmark::State& state) {
                                 TrainStream stream(subject.benchmark, "train", subject.options, subject.stream);
                                 std::int64_t epoch = 0;
                                 epoch_of(stream, epoch, false);  // tables, and the pages of a copy
                                 for (auto _ : state) epoch_of(stream, ++epoch, false);
                                 state.counters["images"] = static_cast<double>(stream.info().count);
                               })
      ->MeasureProcessCPUTime()
      ->UseRealTime();
}

void register_all(Subject subject) {
  subject.stream.batch = 64;
  check_answer(subject);
  subject.stream.exact_decoding = true;
  subject.stream.pixels = TrainPixels::files;
  add("FilesExact", subject);
  subject.stream.exact_decoding = false;
  add("Files", subject);
  if (const char* side = std::getenv("NEARFAR_BENCH_SIDE")) {
    subject.stream.pixels = TrainPixels::short_side;
    subject.stream.side = std::atoll(side);
    pack_for_training(subject.benchmark, "train", subject.options, subject.stream.side);
    add("TrainingCopy", subject);
  } else {
    subject.stream.pixels = TrainPixels::prepared;
    pack_set(subject.benchmark, "train", subject.options);
    add("Packed", subject);
  }
}

}  // namespace
}  // namespace nearfar

int main(int argc, char** argv) {
  using namespace nearfar;
  try {
    const char *file = std::getenv("NEARFAR_BENCH_BENCHMARK"), *root = std::getenv("NEARFAR_BENCH_ROOT"),
               *recipe = std::getenv("NEARFAR_BENCH_RECIPE");
    if (file == nullptr || root == nullptr || recipe == nullptr) {
      fmt::print(stderr, "train_items_bench: run by benchmarks/peers/train_items_ratio.py, which makes its files\n");
      return 0;
    }
    const TempDir copies;
    Subject subject{.benchmark = load_benchmark(file, {}), .options = {}, .stream = {}};
    subject.options.data_root = root;
    subject.options.packed = copies.path();
    subject.stream.recipe = recipe_of(recipe);
    register_all(subject);
    benchmark::Initialize(&argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 4;
    benchmark::RunSpecifiedBenchmarks();
    return 0;
  } catch (const std::exception& error) {
    fmt::print(stderr, "train_items_bench: {}\n", error.what());
    return 3;
  }
}
