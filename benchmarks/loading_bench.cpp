// Times a pass over an image set with one decoding thread, into a batch buffer as a trainer would have it: from the
// image files, and from their packed copy. Opening the list is part of the pass. Before anything is timed, both must
// give the same pixels.
//
// Without more: 2,000 made PNG files of 32 x 32.
// NEARFAR_BENCH_BENCHMARK=b.toml NEARFAR_BENCH_ROOT=D: the train set of this benchmark and data root instead, and
// NEARFAR_BENCH_PIXELS=p.npy gets its pixels; that is how peers/packed_ratio.py compares us with Pillow and torchvision
// on the same files.
#include "base/error.h"
#include "base/files.h"
#include "base/npy.h"
#include "data/image_stream.h"
#include "data/pack.h"
#include "pixels/decode.h"

#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <memory>
#include <vector>

namespace nearfar {
namespace {

namespace fs = std::filesystem;
constexpr std::int64_t kBatch = 200;  // OpenOOD's

struct Subject {
  Benchmark benchmark;
  LoadOptions files, packed;
};

/// A benchmark of 2,000 PNG files in `folder`.
fs::path make_files(const fs::path& folder) {
  std::string list;
  RgbImage image{.width = 32, .height = 32, .bytes = std::vector<std::uint8_t>(32 * 32 * 3)};
  std::uint32_t noise = 1;
  for (int i = 0; i < 2000; ++i) {
    for (std::size_t k = 0; k < image.bytes.size(); ++k) {
      noise = noise * 1664525 + 1013904223;
      image.bytes[k] = static_cast<std::uint8_t>(k / 16 + static_cast<std::size_t>(i) + (noise >> 28));
    }
    const std::string name = fmt::format("{:05}.png", i);
    const std::vector<std::uint8_t> bytes = encode_png(image);
    write_file_atomic(folder / "images" / name, {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
    list += name + " 0\n";
  }
  write_file_atomic(folder / "train.txt", list);
  write_file_atomic(
      folder / "b.toml",
      "classes = [\"a\"]\n[image]\nchannels = 3\nheight = 32\nwidth = 32\nresize = 32\nmean = [0.5, 0.5, 0.5]\n"
      "std = [0.2, 0.2, 0.2]\n[root.r]\nfolder = \".\"\nin_data_root = \".\"\n"
      "[[set]]\nname = \"train\"\nlist = \"train.txt\"\nimages = \"images\"\n"
      "[[set]]\nname = \"test\"\nlist = \"test.txt\"\nimages = \"images\"\n");
  return folder / "b.toml";
}

/// One pass; returns the number of images.
std::int64_t pass(const Subject& subject, const LoadOptions& options, std::vector<std::uint8_t>& batch) {
  const auto stream = open_stream(subject.benchmark, "train", options, kBatch);
  std::int64_t images = 0;
  for (Slab slab; stream->next(slab); images += slab.count) {
    batch.resize(slab.pixels.size());
    std::memcpy(batch.data(), slab.pixels.data(), slab.pixels.size());
    benchmark::DoNotOptimize(batch.data());
    benchmark::ClobberMemory();
  }
  return images;
}

std::vector<std::uint8_t> all_pixels(const Subject& subject, const LoadOptions& options) {
  std::vector<std::uint8_t> pixels;
  const auto stream = open_stream(subject.benchmark, "train", options, kBatch);
  for (Slab slab; stream->next(slab);) pixels.insert(pixels.end(), slab.pixels.begin(), slab.pixels.end());
  return pixels;
}

/// Packs, and compares the two ways.
void prepare(const Subject& subject) {
  pack_set(subject.benchmark, "train", subject.packed);
  const std::vector<std::uint8_t> pixels = all_pixels(subject, subject.files);
  if (pixels != all_pixels(subject, subject.packed))
    throw Error(ErrorKind::internal, "the packed copy has other pixels than the files");
  const char* target = std::getenv("NEARFAR_BENCH_PIXELS");
  if (target == nullptr) return;
  const Benchmark& b = subject.benchmark;
  const std::int64_t bytes = b.height * b.width * b.channels;
  const std::int64_t shape[] = {static_cast<std::int64_t>(pixels.size()) / bytes, b.height, b.width, b.channels};
  write_npy<std::uint8_t>(target, shape, pixels);
}

void register_all(const std::shared_ptr<const Subject>& subject) {
  for (const bool packed : {false, true}) {
    benchmark::RegisterBenchmark(packed ? "Packed" : "Files",
                                 [subject, packed](benchmark::State& state) {
                                   std::vector<std::uint8_t> batch;
                                   std::int64_t images = 0;
                                   for (auto _ : state)
                                     images += pass(*subject, packed ? subject->packed : subject->files, batch);
                                   state.SetItemsProcessed(images);
                                   state.counters["images"] =
                                       static_cast<double>(images) / static_cast<double>(state.iterations());
                                 })
        ->MeasureProcessCPUTime()
        ->Unit(benchmark::kMicrosecond);  // of the pool's threads too
  }
}

}  // namespace
}  // namespace nearfar

int main(int argc, char** argv) {
  using namespace nearfar;
  try {
    const TempDir folder;
    const char* file = std::getenv("NEARFAR_BENCH_BENCHMARK");
    const char* root = std::getenv("NEARFAR_BENCH_ROOT");
    auto subject = std::make_shared<Subject>();
    subject->benchmark = load_benchmark(file != nullptr ? file : make_files(folder.path()).string(), {});
    subject->files.data_root = subject->packed.data_root = root != nullptr ? fs::path(root) : folder.path();
    subject->files.packed = folder.path() / "nothing";
    subject->packed.packed = folder.path() / "packed";
    prepare(*subject);
    register_all(subject);
    benchmark::Initialize(&argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 4;
    benchmark::RunSpecifiedBenchmarks();
    return 0;
  } catch (const std::exception& error) {
    fmt::print(stderr, "loading_bench: {}\n", error.what());
    return 3;
  }
}
