#pragma once
/// What Pillow reads of a JPEG file before it lets libjpeg begin: decides which files are refused. Internal to pixels/.
#include <cstddef>
#include <cstdint>
#include <span>

namespace nearfar {

struct JpegHeader {
  std::int64_t width = 0, height = 0;
  int components = 0;    ///< 1 gray, 3 colour, 4 CMYK
  std::size_t scan = 0;  ///< where the data of the first scan begin
};

/// Walks the markers up to the first scan. Error(data) where Pillow refuses the file: no scan, a segment past the end,
/// not 8 bits, …
JpegHeader read_jpeg_header(std::span<const std::uint8_t> file);

}  // namespace nearfar
