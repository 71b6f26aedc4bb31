#pragma once
/// Colour changes of one pixel, to the byte what torchvision does with a Pillow image: all in whole pixel values, by
/// Pillow's own formulas (src/libImaging/Blend.c, Convert.c). Pure; both processors (host_device.h).
#include "kernels/host_device.h"

namespace nearfar::color {

/// Values 0 … 255. An image of one channel uses c[0].
struct Pixel {
  std::int32_t c[3];
};

/// Luma of ITU-R 601 in 16 binary places, as Pillow converts RGB to L.
NEARFAR_BOTH std::int32_t gray(const Pixel& p, std::int32_t channels) {
  if (channels == 1) return p.c[0];
  return (p.c[0] * 19595 + p.c[1] * 38470 + p.c[2] * 7471 + 0x8000) >> 16;
}

/// Image.blend: `from` at factor 0, `to` at 1, beyond it above; cut to 0 … 255, fractions dropped.
NEARFAR_BOTH std::int32_t blend(std::int32_t from, std::int32_t to, float factor) {
  const float mixed = static_cast<float>(from) + factor * static_cast<float>(to - from);
  if (mixed <= 0) return 0;
  return mixed >= 255 ? 255 : static_cast<std::int32_t>(mixed);
}
NEARFAR_BOTH Pixel blend(std::int32_t from, const Pixel& to, float factor) {
  return {{blend(from, to.c[0], factor), blend(from, to.c[1], factor), blend(from, to.c[2], factor)}};
}

/// The grey image that contrast blends with: the mean, rounded.
NEARFAR_BOTH std::int32_t contrast_mean(std::int64_t gray_sum, std::int64_t pixels) {
  return static_cast<std::int32_t>((2 * gray_sum + pixels) / (2 * pixels));
}

struct Hsv {
  std::int32_t hue, saturation, value;  // of 255
};

NEARFAR_BOTH std::int32_t largest(const Pixel& p) {
  const std::int32_t two = p.c[0] > p.c[1] ? p.c[0] : p.c[1];
  return two > p.c[2] ? two : p.c[2];
}
NEARFAR_BOTH std::int32_t smallest(const Pixel& p) {
  const std::int32_t two = p.c[0] < p.c[1] ? p.c[0] : p.c[1];
  return two < p.c[2] ? two : p.c[2];
}

/// Convert.c, rgb2hsv_row: which steps are in float and which in double is part of the result.
NEARFAR_BOTH Hsv to_hsv(const Pixel& p) {
  const std::int32_t most = largest(p), least = smallest(p);
  if (most == least) return {0, 0, most};
  const auto spread = static_cast<float>(most - least);
  const float saturation = spread / static_cast<float>(most);
  const float r = static_cast<float>(most - p.c[0]) / spread, g = static_cast<float>(most - p.c[1]) / spread,
              b = static_cast<float>(most - p.c[2]) / spread;
  const float sector = p.c[0] == most   ? b - g
                       : p.c[1] == most ? static_cast<float>(2.0 + static_cast<double>(r) - static_cast<double>(b))
                                        : static_cast<float>(4.0 + static_cast<double>(g) - static_cast<double>(r));
  const double turns = static_cast<double>(sector) / 6.0 + 1.0;  // 5/6 … 11/6, of which Convert.c takes fmod 1
  const auto hue = static_cast<float>(turns >= 1 ? turns - 1 : turns);
  return {static_cast<std::int32_t>(static_cast<double>(hue) * 255.0),
          static_cast<std::int32_t>(static_cast<double>(saturation) * 255.0), most};
}

/// Convert.c, hsv2rgb.
NEARFAR_BOTH Pixel to_rgb(const Hsv& x) {
  if (x.saturation == 0) return {{x.value, x.value, x.value}};
  const double sixths = static_cast<double>(x.hue) * 6.0 / 255.0;
  const auto sector = static_cast<std::int32_t>(sixths);
  const auto rest = static_cast<float>(sixths - static_cast<double>(sector));
  const auto saturation = static_cast<float>(static_cast<double>(x.saturation) / 255.0);
  const auto scaled = [&](double share) {  // round(), which is a call on some processors
    const double exact = static_cast<double>(x.value) * share;
    const auto whole = static_cast<std::int32_t>(exact);
    return whole + (exact - whole >= 0.5 ? 1 : 0);
  };
  const std::int32_t v = x.value;
  const std::int32_t p = scaled(1.0 - static_cast<double>(saturation));
  const std::int32_t q = scaled(1.0 - static_cast<double>(saturation * rest));
  const std::int32_t t = scaled(1.0 - static_cast<double>(saturation) * (1.0 - static_cast<double>(rest)));
  switch (sector % 6) {
    case 0:
      return {{v, t, p}};
    case 1:
      return {{q, v, p}};
    case 2:
      return {{p, v, t}};
    case 3:
      return {{p, q, v}};
    case 4:
      return {{t, p, v}};
    default:
      return {{v, p, q}};
  }
}

/// Hue moved by `turn` 255ths of the circle, in 8 bits that wrap.
NEARFAR_BOTH Pixel turned(const Pixel& p, std::int32_t turn) {
  Hsv x = to_hsv(p);
  x.hue = (x.hue + turn) & 255;
  return to_rgb(x);
}

}  // namespace nearfar::color
