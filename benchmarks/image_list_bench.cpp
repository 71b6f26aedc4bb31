/// An ImageNet-sized image list: read, parsed and hashed; and the sizes of its files, one system call after the other.
#include "base/files.h"
#include "data/image_list.h"
#include "data/listed_set.h"
#include "data/open_beneath.h"

#include <benchmark/benchmark.h>
#include <sys/resource.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <numeric>
#include <string>
#include <vector>

namespace {

namespace fs = std::filesystem;

/// "imagenet_1k/train/n10000007/n10000007_1234.JPEG 7": as long as the real lines.
void write_list(const fs::path& file, std::int64_t lines) {
  std::string text;
  for (std::int64_t i = 0; i < lines; ++i) {
    const std::string id = std::to_string(10'000'000 + i % 1000);
    text +=
        "imagenet_1k/train/n" + id + "/n" + id + "_" + std::to_string(i) + ".JPEG " + std::to_string(i % 1000) + "\n";
  }
  std::ofstream(file, std::ios::binary) << text;
}

void read_and_hash(benchmark::State& state) {
  const nearfar::TempDir folder;
  const fs::path file = folder.path() / "list.txt";
  write_list(file, state.range(0));
  const nearfar::Preprocess preprocess{.side = 256, .height = 224, .width = 224};
  for (auto _ : state) {
    const nearfar::ImageList list = nearfar::read_image_list(file);
    std::vector<std::int64_t> picks(static_cast<std::size_t>(list.count()));
    std::iota(picks.begin(), picks.end(), 0);
    if (list.count() != state.range(0) || nearfar::hash_of_list(preprocess, list, picks).size() != 32) std::abort();
  }
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  state.SetItemsProcessed(state.iterations() * state.range(0));
  state.counters["peak_MiB"] = static_cast<double>(usage.ru_maxrss) / 1024;
}
BENCHMARK(read_and_hash)->Arg(10'000)->Arg(1'281'167)->Unit(benchmark::kMillisecond);

void sizes(benchmark::State& state) {
  const nearfar::TempDir folder;
  fs::create_directories(folder.path() / "imagenet_1k" / "val");
  std::vector<std::string> names;
  for (std::int64_t i = 0; i < state.range(0); ++i) {
    names.push_back("imagenet_1k/val/" + std::to_string(i) + ".JPEG");
    std::ofstream(folder.path() / names.back()) << "x";
  }
  const nearfar::BeneathFolder beneath(folder.path());
  for (auto _ : state) {
    std::int64_t total = 0;
    nearfar::FileStats all(beneath);
    for (const std::string& name : names) total += all.stat(name).size;
    if (total != state.range(0)) std::abort();
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(sizes)->Arg(5000)->Unit(benchmark::kMillisecond);

}  // namespace

BENCHMARK_MAIN();
