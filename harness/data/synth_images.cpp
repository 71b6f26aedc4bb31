#include "data/synth_images.h"

#include "base/error.h"
#include "base/random.h"
#include "pixels/decode.h"

#include <zlib.h>

#include <algorithm>
#include <cmath>
#include <span>
#include <string_view>

namespace nearfar {
namespace {

using Colour = std::array<std::uint8_t, 3>;

/// [0, 1)
double unit(std::uint64_t bits) { return static_cast<double>(bits >> 11) * 0x1p-53; }

/// A triangle wave of period 1 in [0, 1]: no sine, whose last bit differs between libraries.
double wave(double x) {
  const double part = x - std::floor(x);
  return part < 0.5 ? 2 * part : 2 - 2 * part;
}

/// Multiples of the golden ratio spread any number of classes evenly over [0, 1).
double spread(std::int64_t label, double step) {
  const double x = static_cast<double>(label + 1) * step;
  return x - std::floor(x);
}

Colour hue(double turn, double light) {
  const auto channel = [&](double offset) {
    const double value = std::clamp(3 * wave(turn + offset) - 1, 0.0, 1.0);
    return static_cast<std::uint8_t>(std::floor(255 * light * (0.15 + 0.85 * value)));
  };
  return {channel(0.5), channel(0.5 + 1.0 / 3), channel(0.5 + 2.0 / 3)};
}

/// A direction of the half circle without trigonometry: the rational parametrisation.
struct Direction {
  explicit Direction(double turn) {
    const double t = 2 * turn - 1;  // -1 … 1: from straight down to straight up
    across = (1 - t * t) / (1 + t * t);
    down = 2 * t / (1 + t * t);
  }
  double along(double u, double v) const { return u * across + v * down; }
  double across, down;
};

/// Pattern of an image without class, in [0, 1]; u and v in [0, 1].
double look_at(std::uint64_t kind, std::uint64_t random, double u, double v) {
  const double phase = unit(mix(random, 1));
  switch (kind) {
    case 0:  // checks
      return (wave(3 * u + phase) > 0.5) != (wave(3 * v + phase) > 0.5) ? 0.9 : 0.1;
    case 1: {  // rings
      const double x = u - 0.3 - 0.4 * phase, y = v - 0.5;
      return wave(4 * std::sqrt(x * x + y * y) + phase);
    }
    case 2: {  // blobs
      double sum = 0;
      for (std::uint64_t i = 0; i < 4; ++i) {
        const double x = u - unit(mix(random, 10 + i)), y = v - unit(mix(random, 20 + i));
        sum += 0.02 / (0.02 + x * x + y * y);
      }
      return std::min(1.0, 0.6 * sum);
    }
    case 3: {  // a stroke on an even ground
      const double bend = 0.5 + 0.35 * (wave(v * (0.5 + unit(mix(random, 2))) + phase) - 0.5);
      return std::abs(u - bend) < 0.09 && v > 0.15 && v < 0.85 ? 1.0 : 0.0;
    }
    case 4:  // a slope
      return std::clamp(phase * u + (1 - phase) * v, 0.0, 1.0);
    default: {  // tiles of random brightness
      const auto tile = static_cast<std::uint64_t>(6 * u) * 16 + static_cast<std::uint64_t>(6 * v);
      return unit(mix(random, 100 + tile));
    }
  }
}

void append_big_endian(std::vector<std::uint8_t>& bytes, std::uint64_t value) {
  for (int shift = 24; shift >= 0; shift -= 8) bytes.push_back(static_cast<std::uint8_t>(value >> shift));
}

void append_chunk(std::vector<std::uint8_t>& file, std::string_view type, std::span<const std::uint8_t> data) {
  append_big_endian(file, data.size());
  const std::size_t start = file.size();
  file.insert(file.end(), type.begin(), type.end());
  file.insert(file.end(), data.begin(), data.end());
  append_big_endian(file, ::crc32(0, file.data() + start, static_cast<uInt>(file.size() - start)));
}

/// What a PNG's header says of a mode, and the bytes of one pixel.
struct PngMode {
  std::uint8_t depth, colour_type;
};

PngMode png_mode(SynthMode mode) {
  switch (mode) {
    case SynthMode::gray:
      return {8, 0};
    case SynthMode::gray16:
      return {16, 0};
    case SynthMode::palette:
      return {8, 3};
    case SynthMode::gray_alpha:
      return {8, 4};
    case SynthMode::rgba:
      return {8, 6};
    default:
      return {8, 2};
  }
}

void append_pixel(std::vector<std::uint8_t>& row, SynthMode mode, std::uint8_t level, const Colour& colour) {
  switch (mode) {
    case SynthMode::gray:
    case SynthMode::palette:
      row.push_back(level);
      break;
    case SynthMode::gray16:
      row.insert(row.end(), {0, level});
      break;  // Pillow clips 16 bits at 255, so only dark ones show anything
    case SynthMode::gray_alpha:
      row.insert(row.end(), {level, static_cast<std::uint8_t>(255 - level / 2)});
      break;
    default:
      row.insert(row.end(), colour.begin(), colour.end());
      if (mode == SynthMode::rgba) row.push_back(static_cast<std::uint8_t>(255 - level / 2));
  }
}

std::vector<std::uint8_t> encode_mode_png(const SynthImage& image, SynthMode mode) {
  const PngMode png = png_mode(mode);
  std::vector<std::uint8_t> rows;
  for (std::int64_t y = 0; y < image.height; ++y) {
    rows.push_back(0);  // no filter
    for (std::int64_t x = 0; x < image.width; ++x) {
      const std::uint8_t level = image.levels[static_cast<std::size_t>(y * image.width + x)];
      append_pixel(rows, mode, level, image.colours[level]);
    }
  }
  uLongf packed_size = ::compressBound(rows.size());
  std::vector<std::uint8_t> packed(packed_size);
  NEARFAR_ASSERT(::compress2(packed.data(), &packed_size, rows.data(), rows.size(), 1) == Z_OK);
  packed.resize(packed_size);

  std::vector<std::uint8_t> header;
  append_big_endian(header, static_cast<std::uint64_t>(image.width));
  append_big_endian(header, static_cast<std::uint64_t>(image.height));
  header.insert(header.end(), {png.depth, png.colour_type, 0, 0, 0});
  std::vector<std::uint8_t> file = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
  append_chunk(file, "IHDR", header);
  if (mode == SynthMode::palette) {
    std::vector<std::uint8_t> palette;
    for (const Colour& colour : image.colours) palette.insert(palette.end(), colour.begin(), colour.end());
    append_chunk(file, "PLTE", palette);
  }
  append_chunk(file, "IDAT", packed);
  append_chunk(file, "IEND", {});
  return file;
}

}  // namespace

std::uint64_t mix(std::uint64_t a, std::uint64_t b) { return splitmix64(a * 0x9e3779b97f4a7c15 + b); }

SynthImage draw(const SynthSubject& subject) {
  constexpr double kGolden = 0.6180339887498949, kOther = 0.7548776662466927, kThird = 0.5698402909980532;
  const bool has_class = subject.label >= 0;
  const Direction direction(spread(subject.label, kGolden));
  const double frequency = 1.5 + 2.5 * spread(subject.label, kOther);
  const double phase = unit(mix(subject.random, 1)) * 0.3;
  const std::uint64_t palette = mix(subject.look, 7);
  const Colour dark =
      has_class ? hue(spread(subject.label, kThird), 0.45) : hue(unit(mix(palette, subject.random % 3)), 0.3);
  const Colour bright =
      has_class ? hue(spread(subject.label, kOther), 1) : hue(unit(mix(palette, 3 + subject.random % 3)), 0.9);
  const double contrast = subject.shifted ? 0.5 : 0.85, noise = subject.shifted ? 0.3 : 0.12;

  SynthImage image{.width = subject.width, .height = subject.height, .levels = {}};
  image.levels.reserve(static_cast<std::size_t>(subject.width * subject.height));
  for (std::int64_t y = 0; y < subject.height; ++y) {
    const double v = (static_cast<double>(y) + 0.5) / static_cast<double>(subject.height);
    for (std::int64_t x = 0; x < subject.width; ++x) {
      const double u = (static_cast<double>(x) + 0.5) / static_cast<double>(subject.width);
      const double pattern =
          has_class ? wave(frequency * direction.along(u, v) + phase) : look_at(subject.look % 6, subject.random, u, v);
      const double grain = unit(mix(subject.random, 1000 + static_cast<std::uint64_t>(y * subject.width + x))) - 0.5;
      image.levels.push_back(static_cast<std::uint8_t>(
          std::clamp(std::floor(255 * (0.5 + contrast * (pattern - 0.5) + noise * grain)), 0.0, 255.0)));
    }
  }
  for (std::size_t level = 0; level < 256; ++level) {
    for (std::size_t c = 0; c < 3; ++c)
      image.colours[level][c] = static_cast<std::uint8_t>((dark[c] * (255 - level) + bright[c] * level) / 255);
  }
  return image;
}

std::vector<std::uint8_t> encode(const SynthImage& image, SynthMode mode) {
  if (mode != SynthMode::jpeg && mode != SynthMode::jpeg_gray) return encode_mode_png(image, mode);
  RgbImage rgb{.width = image.width, .height = image.height, .bytes = {}};
  rgb.bytes.reserve(image.levels.size() * 3);
  for (const std::uint8_t level : image.levels) {
    const Colour colour = mode == SynthMode::jpeg ? image.colours[level] : Colour{level, level, level};
    rgb.bytes.insert(rgb.bytes.end(), colour.begin(), colour.end());
  }
  return encode_jpeg(rgb, 90);
}

}  // namespace nearfar
