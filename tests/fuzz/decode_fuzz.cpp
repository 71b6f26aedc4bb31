/// JPEG, PNG, WebP, GIF, BMP, TIFF and PNM decoders and the pipeline on any bytes: pixels or nearfar::Error, nothing
/// else.
#include "base/error.h"
#include "pixels/decode.h"
#include "pixels/preprocess.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <vector>

namespace {

constexpr std::int64_t kSmall =
    1 << 20;  // whole images of more pixels are left to the pipeline, so that runs stay short

/// Of a TIFF: the product of the largest width and the largest height that some entry of any directory may mean.
std::int64_t tiff_pixels(const std::uint8_t* data, std::size_t size) {
  const bool big = data[0] == 'M';
  const auto number = [&](std::size_t at, std::size_t bytes) {
    std::int64_t value = 0;
    for (std::size_t i = 0; i < bytes; ++i) value = value << 8 | data[at + (big ? i : bytes - 1 - i)];
    return value;
  };
  std::int64_t width = 0, height = 0;
  for (std::size_t at = 0; at + 12 <= size; ++at) {
    if (number(at, 2) == 256) width = std::max({width, number(at + 8, 2), number(at + 8, 4)});
    if (number(at, 2) == 257) height = std::max({height, number(at + 8, 2), number(at + 8, 4)});
  }
  return std::min(width, kSmall + 1) * std::min(height, kSmall + 1);
}

/// Of a PNM: the product of its first two numbers, a comment or not.
std::int64_t pnm_pixels(const std::uint8_t* data, std::size_t size) {
  std::int64_t product = 1, value = 0;
  int numbers = 0;
  for (std::size_t at = 2; at < size && numbers < 2; ++at) {
    if (data[at] >= '0' && data[at] <= '9') {
      value = std::min(value * 10 + data[at] - '0', kSmall + 1);
    } else if (value > 0) {
      product *= value;
      value = 0;
      ++numbers;
    }
  }
  return product;
}

/// Width times height as the first frame or header of the format says, roughly: only to skip slow inputs.
std::int64_t declared_pixels(const std::uint8_t* data, std::size_t size) {
  const auto number = [data](std::size_t at, std::size_t bytes) {
    std::int64_t value = 0;
    for (std::size_t i = 0; i < bytes; ++i) value = value << 8 | data[at + i];
    return value;
  };
  const auto little = [data](std::size_t at) { return std::int64_t{data[at] | data[at + 1] << 8}; };
  std::int64_t most = 0;
  if (size >= 26 && data[0] == 'B')
    most = std::abs(std::int64_t{static_cast<std::int32_t>(little(18) | little(20) << 16)}) *
           std::abs(std::int64_t{static_cast<std::int32_t>(little(22) | little(24) << 16)});
  if (size >= 8 && (data[0] == 'I' || data[0] == 'M')) return tiff_pixels(data, size);
  if (size >= 8 && data[0] == 'P') return pnm_pixels(data, size);
  if (size >= 10 && data[0] == 'G') most = little(6) * little(8);
  for (std::size_t i = 0; i + 12 <= size; ++i) {
    if (data[i] == 0xFF && data[i + 1] >= 0xC0 && data[i + 1] <= 0xDE && i + 9 <= size)
      most = std::max(most, number(i + 5, 2) * number(i + 7, 2));
    if (data[0] == 'G' && data[i] == ',')
      most = std::max(most, (little(i + 1) + little(i + 5)) * (little(i + 3) + little(i + 7)));
    if (data[i] == 'I' && data[i + 1] == 'H' && data[i + 2] == 'D')
      most = std::max(most, std::min(number(i + 4, 4), kSmall) * number(i + 8, 4));
  }
  return most;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static nearfar::RgbImage image;
  static nearfar::ImagePipeline small(
      {.resize = nearfar::Preprocess::Resize::shorter_side, .side = 32, .height = 24, .width = 40});
  static nearfar::ImagePipeline exact(
      {.resize = nearfar::Preprocess::Resize::exact, .resize_height = 9, .resize_width = 50, .height = 11, .width = 7});
  static std::vector<std::uint8_t> out(24 * 40 * 3);
  if (declared_pixels(data, size) > kSmall) return 0;
  try {
    nearfar::decode_image({data, size}, image);
  } catch (const nearfar::Error&) {
  }
  try {
    small.run({data, size}, out);
  } catch (const nearfar::Error&) {
  }
  try {
    exact.run({data, size}, {out.data(), 11 * 7 * 3});
  } catch (const nearfar::Error&) {
  }
  return 0;
}
