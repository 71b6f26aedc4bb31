#pragma once
/// What the tests of pixels/ share: files as bytes, checksums as the golden data writes them, pictures made by a
/// formula.
#include "base/files.h"
#include "pixels/decode.h"
#include "pixels/preprocess.h"

#include <fmt/format.h>
#include <zlib.h>

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace nearfar::testing {

using Bytes = std::vector<std::uint8_t>;

inline Bytes file_bytes(const std::filesystem::path& file) {
  const std::string text = read_file(file);
  return {text.begin(), text.end()};
}

/// As Python's f"{zlib.crc32(data):08x}".
inline std::string crc(std::span<const std::uint8_t> bytes) {
  return fmt::format("{:08x}", crc32(0, bytes.data(), static_cast<uInt>(bytes.size())));
}

inline Preprocess shorter_side(std::int64_t side, std::int64_t height, std::int64_t width) {
  return {.resize = Preprocess::Resize::shorter_side, .side = side, .height = height, .width = width};
}

inline Preprocess exact(std::int64_t resize_height, std::int64_t resize_width, std::int64_t height,
                        std::int64_t width) {
  return {.resize = Preprocess::Resize::exact,
          .resize_height = resize_height,
          .resize_width = resize_width,
          .height = height,
          .width = width};
}

inline Bytes run(const Preprocess& preprocess, std::span<const std::uint8_t> file) {
  Bytes out(static_cast<std::size_t>(preprocess.height * preprocess.width * 3));
  ImagePipeline(preprocess).run(file, out);
  return out;
}

/// v[y][x][c] = (37 x + 91 y + 13 c x y + 5 c) mod 256, the synthetic image of the reference.
inline RgbImage synthetic(std::int64_t width, std::int64_t height) {
  RgbImage image{width, height, {}};
  for (std::int64_t y = 0; y < height; ++y) {
    for (std::int64_t x = 0; x < width; ++x) {
      for (std::int64_t c = 0; c < 3; ++c)
        image.bytes.push_back(static_cast<std::uint8_t>(37 * x + 91 * y + 13 * c * x * y + 5 * c));
    }
  }
  return image;
}

}  // namespace nearfar::testing
