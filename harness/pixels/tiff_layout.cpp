#include "pixels/tiff_layout.h"

#include "base/error.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <optional>
#include <string>

namespace nearfar {
namespace {

enum Photometric { kMinIsWhite = 0, kMinIsBlack = 1, kRgb = 2, kPalette = 3, kCmyk = 5, kYcbcr = 6 };
enum Format { kUnsigned = 1, kSigned = 2, kFloat = 3 };
enum Extra { kAnything = 0, kMultiplied = 1, kAlpha = 2, kCorelAlpha = 999 };
constexpr int kJpeg = 7;

std::uint8_t reversed(std::uint8_t byte) {
  byte = static_cast<std::uint8_t>((byte & 0xf0) >> 4 | (byte & 0x0f) << 4);
  byte = static_cast<std::uint8_t>((byte & 0xcc) >> 2 | (byte & 0x33) << 2);
  return static_cast<std::uint8_t>((byte & 0xaa) >> 1 | (byte & 0x55) << 1);
}

template <class T>
std::uint8_t clipped(T value) {  // NaN is 0
  return static_cast<std::uint8_t>(value > T{0} ? std::min(value, T{255}) : T{0});
}

bool small_bits(int bits) { return bits == 1 || bits == 2 || bits == 4 || bits == 8; }

/// One number a pixel, or the first of two 8-bit ones.
std::optional<TiffKind> gray_kind(const TiffTags& t) {
  const bool white = t.photometric == kMinIsWhite;
  if (t.samples == 2) {
    const bool known = !white && t.bits == 8 && t.sample_format == kUnsigned && t.extra.size() == 1 &&
                       (t.extra[0] == kAnything || t.extra[0] == kAlpha);
    return known ? std::optional(TiffKind::gray) : std::nullopt;
  }
  if (t.samples != 1 || !t.extra.empty()) return std::nullopt;
  if (t.sample_format == kUnsigned && small_bits(t.bits)) return white ? TiffKind::gray_inverted : TiffKind::gray;
  if (t.sample_format == kUnsigned && t.bits == 16 && !(white && t.big_endian))
    return TiffKind::gray_16;  // never inverted, as in Pillow
  if (t.sample_format == kFloat && t.bits == 32) return TiffKind::gray_float;
  if (white) return std::nullopt;
  if (t.sample_format == kUnsigned && t.bits == 32 && !t.big_endian) return TiffKind::gray_32;
  if (t.sample_format != kSigned) return std::nullopt;
  if (t.bits == 8) return TiffKind::gray;  // bytes as they are
  if (t.bits == 16) return TiffKind::gray_signed_16;
  return t.bits == 32 ? std::optional(TiffKind::gray_32) : std::nullopt;
}

bool all_anything(const TiffTags& t, std::size_t from) {
  return std::all_of(t.extra.begin() + static_cast<std::ptrdiff_t>(std::min(from, t.extra.size())), t.extra.end(),
                     [](int extra) { return extra == kAnything; });
}

std::optional<TiffKind> colour_kind(const TiffTags& t) {
  const auto beyond = static_cast<int>(t.extra.size());
  if (t.sample_format != kUnsigned) return std::nullopt;
  if (t.photometric == kPalette) {
    const bool one = t.samples == 1 && t.extra.empty() && small_bits(t.bits);
    const bool two = t.samples == 2 && t.bits == 8 && beyond == 1 && (t.extra[0] == kAnything || t.extra[0] == kAlpha);
    return one || two ? std::optional(TiffKind::palette) : std::nullopt;
  }
  if (t.bits != 8 && t.bits != 16) return std::nullopt;
  const int most_extra = t.photometric == kCmyk ? (t.bits == 8 ? 2 : 0) : t.bits == 8 ? 3 : 1;
  if (beyond > most_extra) return std::nullopt;
  if (t.photometric == kCmyk)
    return t.samples == 4 + beyond && all_anything(t, 0) ? std::optional(TiffKind::cmyk) : std::nullopt;
  if (t.photometric == kYcbcr) {
    if (t.bits != 8 || beyond > 0) return std::nullopt;
    if (t.samples == 1) return TiffKind::gray;
    return t.samples == 3 && t.compression == kJpeg && t.planes == 1 ? std::optional(TiffKind::rgb) : std::nullopt;
  }
  if (t.photometric != kRgb) return std::nullopt;
  if (beyond == 0) return t.samples == 3 || t.samples == 4 ? std::optional(TiffKind::rgb) : std::nullopt;
  if (t.samples != 3 + beyond || !all_anything(t, 1)) return std::nullopt;
  if (t.extra[0] == kMultiplied) return TiffKind::rgb_alpha;
  return t.extra[0] == kAnything || t.extra[0] == kAlpha || t.extra[0] == kCorelAlpha ? std::optional(TiffKind::rgb)
                                                                                      : std::nullopt;
}

template <class T>
T number(const std::uint8_t* from, bool swapped) {
  std::array<std::uint8_t, sizeof(T)> bytes;
  std::memcpy(bytes.data(), from, sizeof(T));
  if (swapped) std::reverse(bytes.begin(), bytes.end());
  return std::bit_cast<T>(bytes);
}

std::uint8_t gray_value(const TiffPixels& p, const std::uint8_t* in, std::size_t i) {
  switch (p.kind) {
    case TiffKind::gray_16:
      return clipped<int>(number<std::uint16_t>(in + 2 * i, p.swapped));
    case TiffKind::gray_signed_16:
      return clipped<int>(number<std::int16_t>(in + 2 * i, p.swapped));
    case TiffKind::gray_32:
      return clipped(number<std::int32_t>(in + 4 * i, p.swapped));
    case TiffKind::gray_float:
      return clipped(number<float>(in + 4 * i, p.swapped));
    default:
      break;
  }
  const std::size_t bit = i * p.bits * p.samples;
  const auto byte = p.reversed ? reversed(in[bit / 8]) : in[bit / 8];
  const unsigned most = (1U << p.bits) - 1;
  const unsigned value = static_cast<unsigned>(byte >> (8 - p.bits - bit % 8)) & most;
  if (p.kind == TiffKind::palette) return static_cast<std::uint8_t>(value);
  const unsigned scaled = value * (255 / most);
  return static_cast<std::uint8_t>(p.kind == TiffKind::gray_inverted ? 255 - scaled : scaled);
}

/// Samples of 8 bits, or the high bytes of 16.
void colour(const TiffPixels& p, const std::uint8_t* in, std::uint8_t* out) {
  const std::size_t step = p.bits / 8, high = p.bits == 16 && !p.swapped ? 1 : 0;
  std::array<int, 4> s{};
  for (std::size_t c = 0; c < std::min<std::size_t>(p.samples, 4); ++c)
    s[c] = p.reversed ? reversed(in[c * step + high]) : in[c * step + high];
  for (std::size_t c = 0; c < 3; ++c) {
    int value = s[c];
    if (p.kind == TiffKind::cmyk) {  // Pillow's naive conversion: k - c * k / 255, rounded
      const int light = 255 - s[3], product = s[c] * light + 128;
      value = std::max(0, light - ((product >> 8) + product) / 256);
    } else if (p.kind == TiffKind::rgb_alpha) {  // the colours are multiplied by it
      value = s[3] == 0 ? 0 : std::min(255, s[c] * 255 / s[3]);
    }
    out[c] = static_cast<std::uint8_t>(value);
  }
}

}  // namespace

TiffPixels pixels_of(const TiffTags& t) {
  const bool gray = t.photometric == kMinIsWhite || t.photometric == kMinIsBlack;
  const std::optional<TiffKind> kind = gray ? gray_kind(t) : colour_kind(t);
  // Pillow knows the other order of bits for plain bytes and less, and of small palette numbers only where libtiff
  // undoes it.
  const bool plain = t.bits <= 8 && t.extra.empty() && t.samples != 4 && t.sample_format == kUnsigned &&
                     t.photometric <= kPalette && (t.photometric != kPalette || t.bits == 8 || t.compressed());
  const bool order_known = t.fill_order == 1 || (t.fill_order == 2 && plain);
  if (!kind || !order_known) {
    throw Error(ErrorKind::data,
                fmt::format("TIFF: pixels of photometric interpretation {}, {} samples of {} bits, sample format {}, "
                            "extra samples [{}], fill order {}, compression {}; convert it to 8-bit RGB or gray",
                            t.photometric, t.samples, t.bits, t.sample_format, fmt::join(t.extra, ", "), t.fill_order,
                            t.compression));
  }
  TiffPixels pixels{.kind = *kind,
                    .bits = static_cast<std::size_t>(t.bits),
                    .samples = static_cast<std::size_t>(t.samples),
                    .planar = t.planes == 2 && t.samples > 1,
                    .swapped = t.big_endian && !t.compressed(),  // libtiff gives native numbers
                    .reversed = t.fill_order == 2 && !t.compressed()};
  if (pixels.planar && (*kind != TiffKind::rgb || t.bits != 8 || t.photometric != kRgb))
    throw Error(ErrorKind::data, "TIFF: channels in planes that are not 8-bit RGB; save them interleaved");
  return pixels;
}

void tiff_to_rgb(const TiffPixels& p, const TiffTags& tags, const std::uint8_t* in, std::size_t count,
                 std::uint8_t* out) {
  const std::size_t pixel = p.samples * p.bits / 8;
  for (std::size_t i = 0; i < count; ++i, out += 3) {
    switch (p.kind) {
      case TiffKind::rgb:
      case TiffKind::rgb_alpha:
      case TiffKind::cmyk:
        colour(p, in + i * pixel, out);
        break;
      case TiffKind::palette:
        std::memcpy(out, tags.palette[gray_value(p, in, i)].data(), 3);
        break;
      default:
        std::memset(out, gray_value(p, in, i), 3);
    }
  }
}

ImageSize turned(ImageSize stored, int orientation) {
  return orientation >= 5 ? ImageSize{stored.height, stored.width} : stored;
}

std::int64_t stored_place(ImageSize stored, int orientation, std::int64_t x, std::int64_t y) {
  if (orientation >= 5) std::swap(x, y);  // 5 mirrors at the main diagonal; the others turn what that gives
  if (orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8) x = stored.width - 1 - x;
  if (orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7) y = stored.height - 1 - y;
  return y * stored.width + x;
}

}  // namespace nearfar
