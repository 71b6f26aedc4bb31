#include "pixels/decode.h"

#include "base/error.h"
#include "pixels/row_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

namespace nearfar {
namespace {

bool starts_with(std::span<const std::uint8_t> file, std::string_view magic, std::size_t at = 0) {
  return file.size() >= at + magic.size() && std::memcmp(file.data() + at, magic.data(), magic.size()) == 0;
}

bool is_blank(std::uint8_t byte) { return byte == ' ' || (byte >= '\t' && byte <= '\r'); }

std::string first_bytes(std::span<const std::uint8_t> file) {
  std::string text;
  for (std::uint8_t byte : file.first(std::min<std::size_t>(file.size(), 8)))
    text += fmt::format("{}{:02x}", text.empty() ? "" : " ", byte);
  return text;
}

}  // namespace

ImageFormat image_format(std::span<const std::uint8_t> file) {
  if (starts_with(file, "\xff\xd8\xff")) return ImageFormat::jpeg;
  if (starts_with(file, "\x89PNG\r\n\x1a\n")) return ImageFormat::png;
  if (starts_with(file, "RIFF") && starts_with(file, "WEBP", 8)) return ImageFormat::webp;
  if (starts_with(file, "GIF87a") || starts_with(file, "GIF89a")) return ImageFormat::gif;
  if (starts_with(file, "BM")) return ImageFormat::bmp;
  // Of BigTIFF Pillow reads the little-endian one only.
  for (const std::string_view magic :
       {std::string_view("II\x2a\0", 4), std::string_view("MM\0\x2a", 4), std::string_view("II\x2b\0", 4)}) {
    if (starts_with(file, magic)) return ImageFormat::tiff;
  }
  if (file.size() > 2 && file[0] == 'P' && file[1] >= '1' && file[1] <= '6' && is_blank(file[2]))
    return ImageFormat::pnm;
  return ImageFormat::unknown;
}

std::string_view format_name(ImageFormat format) {
  switch (format) {
    case ImageFormat::jpeg:
      return "JPEG";
    case ImageFormat::png:
      return "PNG";
    case ImageFormat::webp:
      return "WebP";
    case ImageFormat::gif:
      return "GIF";
    case ImageFormat::bmp:
      return "BMP";
    case ImageFormat::pnm:
      return "PNM";
    case ImageFormat::tiff:
      return "TIFF";
    case ImageFormat::unknown:
      break;
  }
  return "unknown";
}

void check_size(std::int64_t width, std::int64_t height) {
  if (width <= 0 || height <= 0)
    throw Error(ErrorKind::data, fmt::format("the header declares {} x {} pixels", width, height));
  if (width > kMaxSide || height > kMaxSide || width * height > kMaxPixels) {
    throw Error(ErrorKind::data,
                fmt::format("the header declares {} x {} pixels; more than {} in all or {} a side are taken for a "
                            "decompression bomb",
                            width, height, kMaxPixels, kMaxSide));
  }
}

RowReader& AnyReader::of(std::span<const std::uint8_t> file) {
  const auto made = [](std::unique_ptr<RowReader>& reader, auto make) -> RowReader& {
    if (!reader) reader = make();
    return *reader;
  };
  switch (image_format(file)) {
    case ImageFormat::jpeg:
      return made(jpeg_, make_jpeg_reader);
    case ImageFormat::png:
      return made(png_, make_png_reader);
    case ImageFormat::webp:
      return made(webp_, make_webp_reader);
    case ImageFormat::gif:
      return made(gif_, make_gif_reader);
    case ImageFormat::bmp:
      return made(bmp_, make_bmp_reader);
    case ImageFormat::pnm:
      return made(pnm_, make_pnm_reader);
    case ImageFormat::tiff:
      return made(tiff_, make_tiff_reader);
    case ImageFormat::unknown:
      break;
  }
  if (file.empty()) throw Error(ErrorKind::data, "the file is empty");
  throw Error(ErrorKind::data,
              fmt::format("neither JPEG, PNG, WebP, GIF, BMP, TIFF, PPM, PGM nor PBM: the file begins with {}; "
                          "convert it to one of these",
                          first_bytes(file)));
}

void decode_image(std::span<const std::uint8_t> file, RgbImage& image) {
  thread_local AnyReader readers;
  RowReader& reader = readers.of(file);
  const ImageSize size = reader.open(file);
  image.width = size.width;
  image.height = size.height;
  const auto row_bytes = static_cast<std::size_t>(size.width) * 3;
  image.bytes.resize(row_bytes * static_cast<std::size_t>(size.height));
  reader.start({0, size.width, 0, size.height});
  for (std::size_t y = 0; y < static_cast<std::size_t>(size.height); ++y)
    std::memcpy(&image.bytes[y * row_bytes], reader.next_row(), row_bytes);
  image.damaged = reader.damaged();
}

}  // namespace nearfar
