#pragma once
/// JPEG (libjpeg-turbo), GIF (giflib, first frame), BMP, PNG (zlib; libspng writes), WebP (libwebp, where built in;
/// first frame), TIFF (libtiff, first page) and PPM, PGM, PBM to 8-bit RGB, equal to Pillow 13's
/// Image.open(f).convert("RGB") with LOAD_TRUNCATED_IMAGES: grayscale, palette, alpha (dropped, no compositing), CMYK
/// (Pillow's naive conversion), 16-bit gray clipped at 255 and 16-bit colour by its high byte, EXIF orientation ignored
/// but in TIFF, as Pillow does. Of damaged image data Pillow keeps what it could read, and so do we, and say so; a
/// damaged header is an Error. The format is told by content, never by a suffix. Files are untrusted. Safe from any
/// thread, each with its own image.
///
/// Where we differ: other formats are errors; wrong codes in the pixels of a damaged GIF give giflib's pixels, wrong
/// tags of a damaged TIFF libtiff's; more than kMaxSide pixels a side, a JPEG of over 500 scans or of over 1 GiB of
/// coefficients, animated PNG without a whole first frame, and TIFF of YCbCr that is not JPEG, of separate planes that
/// are not 8-bit RGB, of 12 bits, or of strips over 1 GiB are errors; an unfinished progressive JPEG whose chroma is
/// subsampled vertically is smoothed a little differently by libjpeg-turbo before 3.0.1.
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace nearfar {

struct ImageSize {
  std::int64_t width = 0, height = 0;
};

struct RgbImage {
  std::int64_t width = 0, height = 0;
  std::vector<std::uint8_t> bytes;  ///< [height, width, 3]
  bool damaged = false;             ///< the file is cut off or has errors: some pixels are made up
};

enum class ImageFormat { unknown, jpeg, png, webp, gif, bmp, pnm, tiff };
ImageFormat image_format(std::span<const std::uint8_t> file);
std::string_view format_name(ImageFormat format);  ///< "JPEG"
bool webp_supported();

/// As in Pillow: an image of more pixels is taken for a decompression bomb (2 x MAX_IMAGE_PIXELS).
inline constexpr std::int64_t kMaxPixels = 178'956'970;
/// Of one side: resize tables grow with it. PNG and BMP could hold more.
inline constexpr std::int64_t kMaxSide = 1'000'000;

/// Decodes into `image`, whose memory is used again. Error(data) saying what is wrong, without a file name.
void decode_image(std::span<const std::uint8_t> file, RgbImage& image);

/// For made data sets (`nearfar data synth`) and tests: lossless PNG and JPEG of the given quality, 4:2:0.
std::vector<std::uint8_t> encode_png(const RgbImage& image);
std::vector<std::uint8_t> encode_jpeg(const RgbImage& image, int quality);

}  // namespace nearfar
