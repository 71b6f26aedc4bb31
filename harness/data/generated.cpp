#include "base/error.h"
#include "base/random.h"
#include "data/readers.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace nearfar {
namespace {

/// Counter-based: any draw of any image on its own, in any order.
std::uint64_t draw(std::uint64_t seed, std::int64_t image, std::int64_t position) {
  return splitmix64(splitmix64(splitmix64(seed) ^ static_cast<std::uint64_t>(image)) ^
                    static_cast<std::uint64_t>(position));
}

double unit(std::uint64_t bits) { return static_cast<double>(bits >> 11) * 0x1.0p-53; }  // [0, 1)

/// A direction whose parts are rounded to 1/4096: the last bits of sin and cos differ between machines, the images must
/// not.
struct Direction {
  double x, y;
};
Direction direction(double turn) {
  const double angle = 2 * std::numbers::pi * turn;
  return {std::round(std::cos(angle) * 4096) / 4096, std::round(std::sin(angle) * 4096) / 4096};
}

/// Period 1, from -1 to 1.
double triangle_wave(double x) { return 4 * std::abs(x - std::floor(x + 0.5)) - 1; }

/// Stripes along the label's direction, two and a half periods across, random phase.
double grating(std::int64_t width, Direction along, double phase, std::int64_t y, std::int64_t x) {
  const double across = static_cast<double>(x) * along.x + static_cast<double>(y) * along.y;
  return triangle_wave(2.5 * across / static_cast<double>(width) + phase);
}

/// One bright round spot at the label's place, moved a little at random.
double blob(std::int64_t width, Direction towards, double move_x, double move_y, std::int64_t y, std::int64_t x) {
  const auto size = static_cast<double>(width);
  const double dx = static_cast<double>(x) / size - 0.5 - 0.25 * towards.x - 0.1 * move_x;
  const double dy = static_cast<double>(y) / size - 0.5 - 0.25 * towards.y - 0.1 * move_y;
  return 2 * std::max(0.0, 1 - (dx * dx + dy * dy) / 0.04) - 1;
}

}  // namespace

SourceImages make_noise(std::uint64_t seed, std::int64_t count, std::int64_t channels, std::int64_t height,
                        std::int64_t width) {
  SourceImages result{
      .count = count, .channels = channels, .height = height, .width = width, .pixels = {}, .labels = {}};
  const std::int64_t size = channels * height * width;
  result.pixels.reserve(static_cast<std::size_t>(count * size));
  result.labels.assign(static_cast<std::size_t>(count), 0);
  for (std::int64_t image = 0; image < count; ++image) {
    for (std::int64_t position = 0; position < size; ++position) {
      result.pixels.push_back(static_cast<std::uint8_t>(draw(seed, image, position) >> 56));
    }
  }
  return result;
}

SourceImages make_shapes(const std::string& pattern, std::uint64_t seed, std::int64_t count, std::int64_t kinds,
                         std::int64_t channels, std::int64_t height, std::int64_t width) {
  NEARFAR_ASSERT(kinds > 0 && (pattern == "gratings" || pattern == "blobs"));
  SourceImages result{
      .count = count, .channels = channels, .height = height, .width = width, .pixels = {}, .labels = {}};
  result.pixels.reserve(static_cast<std::size_t>(count * channels * height * width));
  const bool gratings = pattern == "gratings";
  for (std::int64_t image = 0; image < count; ++image) {
    const std::int64_t label = image % kinds;
    result.labels.push_back(label);
    // Stripes are the same after half a turn, places after a whole one.
    const Direction towards = direction(static_cast<double>(label) / static_cast<double>(gratings ? 2 * kinds : kinds));
    const double first = unit(draw(seed, image, -1)), second = unit(draw(seed, image, -2));
    for (std::int64_t y = 0; y < height; ++y) {
      for (std::int64_t x = 0; x < width; ++x) {
        for (std::int64_t channel = 0; channel < channels; ++channel) {
          const double shape = gratings ? grating(width, towards, first, y, x)
                                        : blob(width, towards, 2 * first - 1, 2 * second - 1, y, x);
          const double noise = 2 * unit(draw(seed, image, (channel * height + y) * width + x)) - 1;
          result.pixels.push_back(static_cast<std::uint8_t>(std::floor(128 + 80 * shape + 40 * noise)));
        }
      }
    }
  }
  return result;
}

}  // namespace nearfar
