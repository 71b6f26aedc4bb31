#pragma once
/// A crop enlarged to the size of the image, bilinear: to the byte what Pillow's resize gives
/// (src/libImaging/Resample.c: columns first, rounded to whole values, then rows). One pixel at a time; both processors
/// (host_device.h).
#include "kernels/host_device.h"

namespace nearfar::resize {

/// One side: `size` pixels from `first` become `out` pixels, size <= out.
struct Axis {
  std::int32_t first, size, out;
};

/// Up to two neighbours and their weights in 22 binary places; the second one's may be 0.
struct Taps {
  std::int32_t first, second, first_weight, second_weight;
};
constexpr std::int32_t kPlaces = 22;

/// precompute_coeffs and normalize_coeffs_8bpc for a support of 1, which is every enlargement.
NEARFAR_BOTH Taps taps(const Axis& axis, std::int32_t at) {
  const double center = (at + 0.5) * (static_cast<double>(axis.size) / axis.out);
  const auto start = static_cast<std::int32_t>(center - 0.5);  // towards 0: never negative
  const auto end = static_cast<std::int32_t>(center + 1.5);
  const auto triangle = [&](std::int32_t pixel) {
    const double away = pixel - center + 0.5, distance = away < 0 ? -away : away;
    return distance < 1 ? 1 - distance : 0.0;
  };
  const auto fixed = [](double weight) { return static_cast<std::int32_t>(0.5 + weight * (1 << kPlaces)); };
  const bool two = start + 1 < end && start + 1 < axis.size;
  const double a = triangle(start), b = two ? triangle(start + 1) : 0.0, sum = a + b;
  return {axis.first + start, axis.first + start + (two ? 1 : 0), fixed(a / sum), fixed(b / sum)};
}

NEARFAR_BOTH std::int32_t weighted(const Taps& t, std::int32_t first, std::int32_t second) {
  const std::int32_t sum = (1 << (kPlaces - 1)) + first * t.first_weight + second * t.second_weight;
  const std::int32_t value = sum >> kPlaces;
  return value > 255 ? 255 : value;
}

/// Channel `c` of the pixel whose neighbours are `rows` and `columns`; `image` is [·, width, channels].
NEARFAR_BOTH std::int32_t bilinear(const std::uint8_t* image, std::int32_t width, std::int32_t channels,
                                   const Taps& rows, const Taps& columns, std::int32_t c) {
  const auto across = [&](std::int32_t row) {
    const std::uint8_t* start = image + static_cast<std::int64_t>(row) * width * channels + c;
    return weighted(columns, start[static_cast<std::int64_t>(columns.first) * channels],
                    start[static_cast<std::int64_t>(columns.second) * channels]);
  };
  return weighted(rows, across(rows.first), across(rows.second));
}

}  // namespace nearfar::resize
