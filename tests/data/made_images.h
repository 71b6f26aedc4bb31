#pragma once
/// A tiny benchmark in OpenOOD's layout: 8 x 8 images of two classes, made here, in a folder that cleans up.
#include "data/benchmark.h"
#include "data/image_set.h"
#include "data_files.h"
#include "pixels/decode.h"

#include <fmt/format.h>

#include <cstdlib>
#include <string>
#include <vector>

namespace nearfar::testing {

constexpr std::int64_t kSide = 8;
constexpr std::size_t kImageBytes = kSide * kSide * 3;

/// The pixels of image `number`: different for every number below 2^16.
inline std::vector<std::uint8_t> made_pixels(int number, std::int64_t side = kSide) {
  std::vector<std::uint8_t> pixels(static_cast<std::size_t>(side * side * 3));
  for (std::size_t i = 0; i < pixels.size(); ++i)
    pixels[i] = static_cast<std::uint8_t>(i % 2 ? static_cast<std::size_t>(number) / 256 + i
                                                : static_cast<std::size_t>(number) * 3 + i);
  return pixels;
}

inline std::string made_png(int number, std::int64_t side = kSide) {
  const std::vector<std::uint8_t> file =
      encode_png({.width = side, .height = side, .bytes = made_pixels(number, side)});
  return {file.begin(), file.end()};
}

class MadeImages : public DataFiles {
 protected:
  void SetUp() override {
    for (const char* name : {"NEARFAR_DATA", "NEARFAR_PACKED"}) unsetenv(name);
    options_.data_root = folder_.path();
  }

  /// Sets train, test, near/x and far/y of lists with these numbers of images; 0 = the set is not there.
  Benchmark made_benchmark(int train, int test, int near, int far) {
    std::string toml =
        "name = \"made\"\nclasses = [\"even\", \"odd\"]\n"
        "[image]\nchannels = 3\nheight = 8\nwidth = 8\nresize = 8\nmean = [0.5, 0.5, 0.5]\nstd = [0.2, 0.2, 0.2]\n"
        "[root.r]\nfolder = \"data\"\nin_data_root = \".\"\nfix = \"fetch the files again\"\n";
    int first = 0;
    for (const auto& [name, file, count, has_class] :
         {std::tuple("train", "train_made", train, true), std::tuple("test", "test_made", test, true),
          std::tuple("near/x", "test_x", near, false), std::tuple("far/y", "test_y", far, false)}) {
      if (count == 0) continue;
      toml += fmt::format("[[set]]\nname = \"{}\"\nlist = \"lists/{}.txt\"\nimages = \"images\"\ncount = {}\n", name,
                          file, count);
      std::string list;
      for (int i = 0; i < count; ++i) {
        const std::string path = fmt::format("{}/{:04}.png", file, i);
        write("images/" + path, made_png(first + i));
        list += fmt::format("{} {}\n", path, has_class ? i % 2 : -1);
      }
      write(fmt::format("lists/{}.txt", file), list);
      first += count;
    }
    return load_benchmark(write("made.toml", toml).string(), {});
  }

  LoadOptions options_;
};

}  // namespace nearfar::testing
