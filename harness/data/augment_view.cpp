// Compiled with -ffp-contract=off, as every user of the bodies (kernels/host_device.h).
#include "data/augment_view.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>

namespace nearfar {
namespace {

using Lut = std::array<std::uint8_t, 256>;

std::uint8_t byte(std::int32_t value) { return static_cast<std::uint8_t>(value); }

/// `count` pixels of `from`, the last one first. Four bytes at a time, of which the next pixel overwrites the fourth.
void mirror(const std::uint8_t* from, std::uint8_t* to, std::int64_t count) {
  if (count == 0) return;
  const std::uint8_t* pixel = from + 3 * (count - 1);
  std::memcpy(to, pixel, 3);  // behind the last one there may be no fourth byte to read
  if (count == 1) return;
  for (std::int64_t x = 1; x < count - 1; ++x) std::memcpy(to + 3 * x, pixel -= 3, 4);
  std::memcpy(to + 3 * (count - 1), from, 3);
}

color::Pixel pixel_at(const std::uint8_t* pixel) { return {{pixel[0], pixel[1], pixel[2]}}; }
void put(std::uint8_t* at, const color::Pixel& p) {
  for (std::int32_t c = 0; c < 3; ++c) at[c] = byte(p.c[c]);
}

/// color::to_hsv of every colour by its largest value, its spread and the place of its middle value, and what
/// color::to_rgb needs of a hue.
struct HueTables {
  std::array<std::uint8_t, 6 * 256 * 256> hue{};     ///< [case][spread][largest - middle]
  std::array<std::uint8_t, 256 * 256> saturation{};  ///< [spread][largest]

  /// Which channel is the largest (0 to 2), and which of the other two, in the order of to_hsv's differences, is the
  /// smallest.
  static std::size_t at(std::size_t largest, bool second_is_smallest, std::size_t spread, std::size_t middle) {
    return ((largest * 2 + (second_is_smallest ? 1 : 0)) * 256 + spread) * 256 + middle;
  }

  HueTables() {
    for (std::int32_t spread = 1; spread < 256; ++spread) {
      for (std::int32_t middle = 0; middle <= spread; ++middle) {
        for (std::int32_t largest = 0; largest < 3; ++largest) {
          // A colour of that case: the largest value is `spread`, the smallest 0.
          for (const bool second : {false, true}) {
            const std::int32_t a = (largest + 1) % 3, b = (largest + 2) % 3, smallest = second ? b : a;
            color::Pixel p{};
            p.c[largest] = spread;
            p.c[second ? a : b] = spread - middle;
            p.c[smallest] = 0;
            if (color::largest(p) != p.c[largest] || first_largest(p) != largest) continue;
            hue[at(static_cast<std::size_t>(largest), second, static_cast<std::size_t>(spread),
                   static_cast<std::size_t>(middle))] = byte(color::to_hsv(p).hue);
          }
        }
      }
      for (std::int32_t most = spread; most < 256; ++most)
        saturation[static_cast<std::size_t>(spread * 256 + most)] =
            byte(color::to_hsv({{most, most - spread, most - spread}}).saturation);
    }
  }

  static std::int32_t first_largest(const color::Pixel& p) {
    const std::int32_t most = color::largest(p);
    return p.c[0] == most ? 0 : p.c[1] == most ? 1 : 2;
  }

  color::Hsv of(const color::Pixel& p) const {
    const std::int32_t most = color::largest(p), spread = most - color::smallest(p);
    if (spread == 0) return {0, 0, most};
    const std::int32_t largest = first_largest(p);
    const std::int32_t a = most - p.c[largest == 2 ? 0 : largest + 1], b = most - p.c[largest == 0 ? 2 : largest - 1];
    const bool second = b == spread;
    const std::size_t index = at(static_cast<std::size_t>(largest), second, static_cast<std::size_t>(spread),
                                 static_cast<std::size_t>(second ? a : b));
    return {hue[index], saturation[static_cast<std::size_t>(spread * 256 + most)], most};
  }
};

const HueTables& hue_tables() {
  static const std::unique_ptr<const HueTables> tables = std::make_unique<HueTables>();
  return *tables;
}

void through(const Lut& lut, std::span<std::uint8_t> pixels) {
  for (std::uint8_t& value : pixels) value = lut[value];
}

/// blend(from, ·, factor) of every value.
Lut blended(std::int32_t from, float factor) {
  Lut lut{};
  for (std::int32_t value = 0; value < 256; ++value)
    lut[static_cast<std::size_t>(value)] = byte(color::blend(from, value, factor));
  return lut;
}

std::int32_t mean_gray(std::span<const std::uint8_t> pixels) {
  std::int64_t sum = 0;
  for (std::size_t i = 0; i < pixels.size(); i += 3) sum += color::gray(pixel_at(&pixels[i]), 3);
  return color::contrast_mean(sum, static_cast<std::int64_t>(pixels.size() / 3));
}

void saturate(float factor, std::span<std::uint8_t> pixels) {
  for (std::size_t i = 0; i < pixels.size(); i += 3) {
    const color::Pixel p = pixel_at(&pixels[i]);
    put(&pixels[i], color::blend(color::gray(p, 3), p, factor));
  }
}

void turn(std::int32_t by, std::span<std::uint8_t> pixels) {
  const HueTables& tables = hue_tables();
  for (std::size_t i = 0; i < pixels.size(); i += 3) {
    color::Hsv x = tables.of(pixel_at(&pixels[i]));
    x.hue = (x.hue + by) & 255;
    put(&pixels[i], color::to_rgb(x));
  }
}

}  // namespace

void shift_and_flip(const AugmentJob& job, const augmentation::Draw& draw, const std::uint8_t* image,
                    std::uint8_t* out) {
  const std::int32_t width = job.width;
  const auto stride = static_cast<std::size_t>(width) * 3;
  // `count` columns of the result, from `first` on, have an image behind them; the mirrored image is what is moved.
  const std::int32_t moved = std::clamp(draw.columns, -width, width);
  const std::int32_t count = width - std::abs(moved), first = std::max(0, moved);
  const std::int32_t from = std::max(0, draw.flip ? moved : -moved);
  const std::size_t left = static_cast<std::size_t>(first) * 3, used = static_cast<std::size_t>(count) * 3;
  for (std::int32_t y = 0; y < job.height; ++y, out += stride) {
    const std::int32_t from_y = y - draw.rows;
    if (from_y < 0 || from_y >= job.height || count == 0) {
      std::memset(out, 0, stride);
      continue;
    }
    const std::uint8_t* row = image + static_cast<std::size_t>(from_y) * stride + static_cast<std::size_t>(from) * 3;
    std::memset(out, 0, left);
    std::memset(out + left + used, 0, stride - left - used);
    if (draw.flip) {
      mirror(row, out + left, count);
    } else {
      std::memcpy(out + left, row, used);
    }
  }
}

void ViewFinisher::flip(std::span<std::uint8_t> pixels, std::int64_t width) {
  const auto stride = static_cast<std::size_t>(width) * 3;
  row_.resize(std::max(row_.size(), stride));
  for (std::size_t at = 0; at < pixels.size(); at += stride) {
    std::memcpy(row_.data(), &pixels[at], stride);
    mirror(row_.data(), &pixels[at], width);
  }
}

void ViewFinisher::color(const AugmentJob& job, const augmentation::Draw& draw, std::span<std::uint8_t> pixels) {
  if (draw.jitter) {
    for (const std::int32_t step : draw.order) {
      if (!augmentation::changes(job, step)) continue;
      if (step == augmentation::kStepBrightness) through(blended(0, draw.brightness), pixels);
      if (step == augmentation::kStepContrast) through(blended(mean_gray(pixels), draw.contrast), pixels);
      if (step == augmentation::kStepSaturation) saturate(draw.saturation, pixels);
      if (step == augmentation::kStepHue) turn(draw.turn, pixels);
    }
  }
  if (!draw.gray) return;
  for (std::size_t i = 0; i < pixels.size(); i += 3) {
    const std::uint8_t gray = byte(color::gray(pixel_at(&pixels[i]), 3));
    pixels[i] = pixels[i + 1] = pixels[i + 2] = gray;
  }
}

}  // namespace nearfar
