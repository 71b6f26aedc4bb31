// Times the evaluation pipeline of image files on one thread: file bytes in memory → decode, resize, crop → float32
// [3,H,W], normalised by a table.
//
// Without more: noisy synthetic pictures, `Jpeg224` (500 x 375, quality 94, 4:2:0) and `Png32` (32 x 32); decoding
// alone as `JpegDecode`. NEARFAR_BENCH_FILES=folder NEARFAR_BENCH_SIDE=256 NEARFAR_BENCH_CROP=224: one benchmark named
// Files, over the folder's files in order of their names; NEARFAR_BENCH_OUT=file receives the pixels of all of them,
// then the floats. That is how peers/loading_ratio.py compares us.
#include "base/error.h"
#include "base/files.h"
#include "pixels/decode.h"
#include "pixels/preprocess.h"

#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <random>
#include <string>
#include <vector>

namespace nearfar {
namespace {

using Bytes = std::vector<std::uint8_t>;

Preprocess shorter_side(std::int64_t side, std::int64_t crop) {
  return {.resize = Preprocess::Resize::shorter_side, .side = side, .height = crop, .width = crop};
}

/// (v / 255 - mean) / std of each channel, computed in float as torchvision does.
class Normalizer {
 public:
  Normalizer() {
    constexpr std::array<float, 3> mean{0.485F, 0.456F, 0.406F}, deviation{0.229F, 0.224F, 0.225F};
    for (std::size_t c = 0; c < 3; ++c) {
      for (std::size_t v = 0; v < 256; ++v) table_[c][v] = (static_cast<float>(v) / 255.0F - mean[c]) / deviation[c];
    }
  }

  /// [H,W,3] to [3,H,W]; `out` has as many elements as `pixels`.
  void run(const Bytes& pixels, float* out) const {
    const std::size_t plane = pixels.size() / 3;
    const std::uint8_t* in = pixels.data();
    const float *red = table_[0].data(), *green = table_[1].data(), *blue = table_[2].data();
    for (std::size_t i = 0; i < plane; ++i, in += 3) {
      out[i] = red[in[0]];
      out[plane + i] = green[in[1]];
      out[2 * plane + i] = blue[in[2]];
    }
  }

 private:
  std::array<std::array<float, 256>, 3> table_{};
};

RgbImage picture(std::int64_t width, std::int64_t height) {
  std::mt19937 random(1);
  std::normal_distribution<double> noise(0, 4);
  RgbImage image{width, height, {}};
  for (std::int64_t i = 0; i < width * height; ++i) {
    const auto x = static_cast<double>(i % width), y = static_cast<double>(i / width);
    for (int c = 0; c < 3; ++c) {
      const double value = 128 + 60 * std::sin(x / 23 + c) + 40 * std::cos(y / 17 - c) + noise(random);
      image.bytes.push_back(static_cast<std::uint8_t>(std::clamp(value, 0.0, 255.0)));
    }
  }
  return image;
}

void time_pipeline(benchmark::State& state, const Preprocess& preprocess, const std::vector<Bytes>& files) {
  ImagePipeline pipeline(preprocess);
  const Normalizer normalizer;
  Bytes pixels(static_cast<std::size_t>(preprocess.height * preprocess.width * 3));
  std::vector<float> floats(pixels.size());
  for (auto _ : state) {
    for (const Bytes& file : files) {
      pipeline.run(file, pixels);
      normalizer.run(pixels, floats.data());
      benchmark::DoNotOptimize(floats.data());
    }
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(files.size()));
}

/// Once, before anything is timed: an image that already has its size comes out as it went in.
void check_answer() {
  const RgbImage image = picture(32, 32);
  Bytes out(image.bytes.size());
  ImagePipeline(shorter_side(32, 32)).run(encode_png(image), out);
  if (out != image.bytes)
    throw Error(ErrorKind::internal, "wrong answer: a 32 x 32 image is changed by the 32 / 32 pipeline");
}

std::vector<Bytes> read_folder(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> paths;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) paths.push_back(entry.path());
  std::sort(paths.begin(), paths.end());
  std::vector<Bytes> files;
  for (const auto& path : paths) {
    const std::string text = read_file(path);
    files.emplace_back(text.begin(), text.end());
  }
  return files;
}

void write_answers(const std::filesystem::path& out, const Preprocess& preprocess, const std::vector<Bytes>& files) {
  ImagePipeline pipeline(preprocess);
  const Normalizer normalizer;
  Bytes pixels(static_cast<std::size_t>(preprocess.height * preprocess.width * 3));
  std::vector<float> floats(pixels.size());
  std::string first, second;
  for (const Bytes& file : files) {
    pipeline.run(file, pixels);
    normalizer.run(pixels, floats.data());
    first.append(pixels.begin(), pixels.end());
    second.append(reinterpret_cast<const char*>(floats.data()), floats.size() * sizeof(float));
  }
  write_file_atomic(out, first + second);
}

std::int64_t number(const char* variable, std::int64_t standard) {
  const char* text = std::getenv(variable);
  return text != nullptr ? std::atoll(text) : standard;
}

void register_files(const char* folder) {
  const Preprocess preprocess = shorter_side(number("NEARFAR_BENCH_SIDE", 256), number("NEARFAR_BENCH_CROP", 224));
  const std::vector<Bytes> files = read_folder(folder);
  if (const char* out = std::getenv("NEARFAR_BENCH_OUT")) write_answers(out, preprocess, files);
  benchmark::RegisterBenchmark("Files", [=](benchmark::State& state) { time_pipeline(state, preprocess, files); });
}

void register_synthetic() {
  const std::vector<Bytes> jpeg{encode_jpeg(picture(500, 375), 94)}, png{encode_png(picture(32, 32))};
  benchmark::RegisterBenchmark("Jpeg224",
                               [=](benchmark::State& state) { time_pipeline(state, shorter_side(256, 224), jpeg); });
  benchmark::RegisterBenchmark("Png32",
                               [=](benchmark::State& state) { time_pipeline(state, shorter_side(32, 32), png); });
  benchmark::RegisterBenchmark("JpegDecode", [=](benchmark::State& state) {
    RgbImage image;
    for (auto _ : state) decode_image(jpeg[0], image);
  });
}

}  // namespace
}  // namespace nearfar

int main(int argc, char** argv) {
  try {
    nearfar::check_answer();
    if (const char* folder = std::getenv("NEARFAR_BENCH_FILES")) {
      nearfar::register_files(folder);
    } else {
      nearfar::register_synthetic();
    }
    benchmark::Initialize(&argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
    benchmark::RunSpecifiedBenchmarks();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "pixels_bench: %s\n", error.what());
    return 1;
  }
  return 0;
}
