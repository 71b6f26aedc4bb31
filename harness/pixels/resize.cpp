#include "pixels/resize.h"

#include <algorithm>
#include <cmath>

namespace nearfar {
namespace {

constexpr double kOne = 1 << 22;

/// As the AVX2 kernel wants them: of 4 inputs the first two in one half of a register, the others in the other half.
void pack(ResizeAxis& axis) {
  axis.packed.assign(axis.weights.size() / 4 * kPackedGroup, 0);
  for (std::size_t group = 0; group < axis.weights.size() / 4; ++group) {
    for (std::size_t half = 0; half < 2; ++half) {
      for (std::size_t i = 0; i < 8; ++i) {
        const std::int32_t weight = axis.weights[group * 4 + half * 2 + i % 2];
        std::int16_t* out = &axis.packed[group * kPackedGroup + half * 8 + i];
        out[0] = static_cast<std::int16_t>(weight >> kLowBits);
        out[16] = static_cast<std::int16_t>(weight & ((1 << kLowBits) - 1));
      }
    }
  }
}

}  // namespace

/// Triangle filter over the inputs, widened when shrinking; the order of operations is Pillow's, so that each double is
/// the same.
void make_resize_axis(std::int64_t in, std::int64_t out, std::int64_t first, std::int64_t count, ResizeAxis& axis) {
  axis.copy = in == out;
  axis.count = static_cast<std::size_t>(count);
  if (axis.copy) {
    axis.begin = first;
    axis.end = first + count;
    return;
  }
  make_resize_axis(ResizeSide{.in = static_cast<double>(in), .begin = 0, .pixels = in}, out, first, count, axis);
}

void make_resize_axis(const ResizeSide& side, std::int64_t out, std::int64_t first, std::int64_t count,
                      ResizeAxis& axis) {
  axis.copy = false;
  axis.count = static_cast<std::size_t>(count);
  const double scale = side.in / static_cast<double>(out);
  const double support = std::max(scale, 1.0);
  const double inverse = 1.0 / support;
  const auto centre = [&](std::size_t i) {
    return side.begin + (static_cast<double>(first) + static_cast<double>(i) + 0.5) * scale;
  };
  axis.first.resize(axis.count);
  axis.size.resize(axis.count);
  for (std::size_t i = 0; i < axis.count; ++i) {
    axis.first[i] = std::max<std::int64_t>(0, static_cast<std::int64_t>(centre(i) - support + 0.5));
    axis.size[i] = static_cast<std::size_t>(
        std::min(side.pixels, static_cast<std::int64_t>(centre(i) + support + 0.5)) - axis.first[i]);
  }
  axis.taps = (*std::max_element(axis.size.begin(), axis.size.end()) + 3) / 4 * 4;
  axis.weights.assign(axis.count * axis.taps, 0);
  std::vector<double> raw(axis.taps);
  for (std::size_t i = 0; i < axis.count; ++i) {
    double sum = 0;
    for (std::size_t k = 0; k < axis.size[i]; ++k) {
      raw[k] = std::max(
          0.0,
          1.0 - std::abs((static_cast<double>(axis.first[i]) + static_cast<double>(k) - centre(i) + 0.5) * inverse));
      sum += raw[k];
    }
    for (std::size_t k = 0; k < axis.size[i]; ++k) {
      axis.weights[i * axis.taps + k] = static_cast<std::int32_t>(raw[k] / sum * kOne + 0.5);
    }
  }
  axis.begin = axis.first.front();
  axis.end = axis.first.back() + static_cast<std::int64_t>(axis.size.back());
  if (has_row_kernel()) pack(axis);
}

bool resizes_vertically_first(std::int64_t in_width, std::int64_t in_height, std::int64_t out_width,
                              std::int64_t out_height) {
  return out_height < in_height && in_height - out_height > 2 * (in_width - out_width);
}

const ResizeAxis& ResizeAxes::get(std::int64_t in, std::int64_t out, std::int64_t first, std::int64_t count) {
  const std::array<std::int64_t, 4> key{in, out, first, count};
  auto slot = std::find_if(slots_.begin(), slots_.end(), [&](const Slot& s) { return s.key == key; });
  if (slot == slots_.end()) {
    slot = std::min_element(slots_.begin(), slots_.end(), [](const Slot& a, const Slot& b) { return a.used < b.used; });
    make_resize_axis(in, out, first, count, slot->axis);
    slot->key = key;
  }
  slot->used = ++clock_;
  return slot->axis;
}

}  // namespace nearfar
