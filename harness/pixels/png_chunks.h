#pragma once
/// The chunk layer of a PNG file as Pillow with LOAD_TRUNCATED_IMAGES walks it. Internal to
/// pixels/.
#include <array>
#include <cstdint>
#include <span>
#include <vector>

namespace nearfar {

struct PngHeader {
  std::int64_t width = 0, height = 0;
  int depth = 0, color = 0;  ///< as in IHDR; a combination that PNG allows
  bool interlaced = false;
  std::array<std::uint8_t, 256 * 3> palette{};  ///< for color 3; entries the file lacks are Pillow's
};

/// What read_png_chunks() finds. `data` is the zlib stream of the pixels, as much as there is of it: in the file, or in
/// `joined`.
struct PngChunks {
  PngHeader header;
  std::span<const std::uint8_t> data;
  bool cut = false;  ///< the file ends within the image data, or right behind it: there may have been more
};

/// `joined` is scratch memory for files of several IDAT chunks. Error(data) where Pillow refuses the file: a chunk
/// before the image data past the end, a wrong checksum of a critical one, no image data, more than 256 colours, … and
/// by check_size().
PngChunks read_png_chunks(std::span<const std::uint8_t> file, std::vector<std::uint8_t>& joined);

}  // namespace nearfar
