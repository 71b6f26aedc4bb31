#pragma once
/// What a TIFF's tags say of its pixels, and how they become RGB: the combinations that Pillow's TiffImagePlugin knows,
/// less those that decode.h names. Knows no libtiff. Internal to pixels/. Pure functions.
#include "pixels/row_reader.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace nearfar {

/// The tags of the first page, with TIFF's numbers.
struct TiffTags {
  std::int64_t width = 0, height = 0;
  int photometric = 0, bits = 1, samples = 1, sample_format = 1, compression = 1, planes = 1, fill_order = 1;
  int orientation = 1;
  std::vector<int> extra;                              ///< ExtraSamples: 0 anything, 1 alpha multiplied in, 2 alpha
  bool big_endian = false;                             ///< the file's numbers
  std::vector<std::array<std::uint8_t, 3>> palette{};  ///< of photometric 3: 2^bits colours
  bool compressed() const { return compression != 1; }
};

enum class TiffKind {
  gray,
  gray_inverted,
  gray_16,
  gray_signed_16,
  gray_32,
  gray_float,
  palette,
  rgb,
  rgb_alpha,
  cmyk
};

/// How pixels lie in a decoded row.
struct TiffPixels {
  TiffKind kind = TiffKind::gray;
  std::size_t bits = 8, samples = 1;  ///< of a sample; of a pixel, interleaved unless `planar`
  bool planar = false;                ///< 8-bit colour, a row holds one channel
  bool swapped = false;               ///< numbers are big-endian
  bool reversed = false;              ///< the bits of each byte
  std::size_t row_bytes(std::int64_t width) const {
    return (static_cast<std::size_t>(width) * (planar ? 1 : samples) * bits + 7) / 8;
  }
};

/// Error(data) saying what is not read.
TiffPixels pixels_of(const TiffTags& tags);

/// `count` pixels of a row, `in` with row_bytes(count) of them, to RGB. Not for planar ones.
void tiff_to_rgb(const TiffPixels& pixels, const TiffTags& tags, const std::uint8_t* in, std::size_t count,
                 std::uint8_t* out);

/// How the picture is turned before it is shown, as by ImageOps.exif_transpose: Orientation 1 to 8.
ImageSize turned(ImageSize stored, int orientation);
/// Where pixel (x, y) of the turned picture lies in the stored one.
std::int64_t stored_place(ImageSize stored, int orientation, std::int64_t x, std::int64_t y);

}  // namespace nearfar
