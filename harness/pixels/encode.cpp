#include <csetjmp>
#include <cstdio>
// after cstdio, which it needs
#include "base/error.h"
#include "pixels/decode.h"

#include <fmt/format.h>
#include <jpeglib.h>
#include <spng.h>

#include <cstdlib>
#include <memory>

namespace nearfar {
namespace {

void check(const RgbImage& image, std::int64_t most) {
  const bool good =
      image.width > 0 && image.height > 0 && image.width <= most && image.height <= most &&
      image.bytes.size() == static_cast<std::size_t>(image.width) * static_cast<std::size_t>(image.height) * 3;
  if (!good) {
    throw Error(ErrorKind::internal, fmt::format("an image of {} x {} with {} bytes cannot be encoded", image.width,
                                                 image.height, image.bytes.size()));
  }
}

struct JpegErrors {
  jpeg_error_mgr errors{};
  std::jmp_buf failed{};
};

void on_error(j_common_ptr info) { std::longjmp(static_cast<JpegErrors*>(info->client_data)->failed, 1); }

/// False if libjpeg gave up. `out` is malloc's.
bool write_jpeg(const RgbImage& image, int quality, unsigned char** out, unsigned long* size) {
  jpeg_compress_struct info{};
  JpegErrors errors;
  info.err = jpeg_std_error(&errors.errors);
  errors.errors.error_exit = on_error;
  info.client_data = &errors;
  if (setjmp(errors.failed) != 0) {
    jpeg_destroy_compress(&info);
    return false;
  }
  jpeg_create_compress(&info);
  jpeg_mem_dest(&info, out, size);
  info.image_width = static_cast<JDIMENSION>(image.width);
  info.image_height = static_cast<JDIMENSION>(image.height);
  info.input_components = 3;
  info.in_color_space = JCS_RGB;
  jpeg_set_defaults(&info);  // 4:2:0
  jpeg_set_quality(&info, quality, TRUE);
  jpeg_start_compress(&info, TRUE);
  while (info.next_scanline < info.image_height) {
    auto* row = const_cast<JSAMPLE*>(image.bytes.data()) + std::size_t{info.next_scanline} * info.image_width * 3;
    jpeg_write_scanlines(&info, &row, 1);
  }
  jpeg_finish_compress(&info);
  jpeg_destroy_compress(&info);
  return true;
}

}  // namespace

std::vector<std::uint8_t> encode_png(const RgbImage& image) {
  check(image, 0x7fffffff);
  const std::unique_ptr<spng_ctx, void (*)(spng_ctx*)> context(spng_ctx_new(SPNG_CTX_ENCODER), spng_ctx_free);
  spng_ihdr header{};
  header.width = static_cast<std::uint32_t>(image.width);
  header.height = static_cast<std::uint32_t>(image.height);
  header.bit_depth = 8;
  header.color_type = SPNG_COLOR_TYPE_TRUECOLOR;
  int result = spng_set_option(context.get(), SPNG_ENCODE_TO_BUFFER, 1);
  if (result == 0) result = spng_set_ihdr(context.get(), &header);
  if (result == 0)
    result =
        spng_encode_image(context.get(), image.bytes.data(), image.bytes.size(), SPNG_FMT_PNG, SPNG_ENCODE_FINALIZE);
  std::size_t size = 0;
  const std::unique_ptr<void, void (*)(void*)> buffer(
      result == 0 ? spng_get_png_buffer(context.get(), &size, &result) : nullptr, std::free);
  if (buffer == nullptr)
    throw Error(ErrorKind::internal, fmt::format("PNG encoding failed: {}", spng_strerror(result)));
  const auto* bytes = static_cast<const std::uint8_t*>(buffer.get());
  return {bytes, bytes + size};
}

std::vector<std::uint8_t> encode_jpeg(const RgbImage& image, int quality) {
  check(image, JPEG_MAX_DIMENSION);
  unsigned char* out = nullptr;
  unsigned long size = 0;
  const bool good = write_jpeg(image, quality, &out, &size);
  const std::unique_ptr<unsigned char, void (*)(void*)> owner(out, std::free);
  if (!good) throw Error(ErrorKind::internal, "JPEG encoding failed");
  return {out, out + size};
}

}  // namespace nearfar
