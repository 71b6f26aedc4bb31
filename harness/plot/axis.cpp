#include "plot/axis.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace nearfar::plot {
namespace {

bool is_usable(double value, Scale scale) {
  // Beyond these the differences below could overflow.
  return std::isfinite(value) && std::abs(value) < 1e300 && (scale == Scale::linear || value > 1e-300);
}

/// 1, 2 or 5 times a power of ten, the nearest above span / wanted.
double nice_step(double span, int wanted) {
  const double raw = span / wanted, power = std::pow(10.0, std::floor(std::log10(raw)));
  for (const double factor : {1.0, 2.0, 5.0}) {
    if (factor * power >= raw * 0.999) return factor * power;
  }
  return 10 * power;
}

std::vector<Tick> linear_ticks(const AxisRange& range, int wanted) {
  const double step = nice_step(range.high - range.low, wanted);
  const int decimals = std::clamp(static_cast<int>(-std::floor(std::log10(step) + 1e-9)), 0, 17);
  const bool plain = decimals <= 6 && std::max(std::abs(range.low), std::abs(range.high)) < 1e7;
  std::vector<Tick> ticks;
  const double first = std::ceil(range.low / step - 1e-9);
  for (int i = 0; i <= 4 * wanted; ++i) {
    double value = (first + i) * step;
    if (value > range.high + 1e-9 * step) break;
    if (std::abs(value) < 1e-9 * step) value = 0;  // not "-0"
    ticks.push_back({value, plain ? fmt::format("{:.{}f}", value, decimals) : fmt::format("{:.4g}", value)});
  }
  return ticks;
}

std::vector<Tick> logarithmic_ticks(const AxisRange& range) {
  const int first = static_cast<int>(std::floor(std::log10(range.low))),
            last = static_cast<int>(std::ceil(std::log10(range.high)));
  const double decades = std::log10(range.high / range.low);
  const int stride = std::max(1, static_cast<int>(std::ceil(decades / 8)));
  std::vector<Tick> ticks;
  for (int exponent = first; exponent <= last; ++exponent) {
    for (const int factor : {1, 2, 3, 4, 5, 6, 7, 8, 9}) {
      const double value = factor * std::pow(10.0, exponent);
      if (value < range.low * (1 - 1e-9) || value > range.high * (1 + 1e-9)) continue;
      const bool written = factor == 1 ? exponent % stride == 0 : decades < 3 && (factor == 2 || factor == 5);
      if (written || (decades < 5 && factor != 1)) ticks.push_back({value, written ? short_number(value) : ""});
    }
  }
  return ticks;
}

}  // namespace

double AxisRange::share(double value) const {
  if (scale == Scale::linear) return (value - low) / (high - low);
  return value > 0 ? std::log(value / low) / std::log(high / low) : -1;
}

AxisRange range_of(const Axis& axis, const std::vector<double>& values) {
  const bool linear = axis.scale == Scale::linear;
  bool any = false;
  double low = 0, high = 1;
  for (const double value : values) {
    if (!is_usable(value, axis.scale)) continue;
    low = any ? std::min(low, value) : value;
    high = any ? std::max(high, value) : value;
    any = true;
  }
  if (!any && !linear) low = 0.1;
  if (low == high) {
    const double room = linear ? std::max(std::abs(low) * 0.05, 1e-6) : 0;
    low = linear ? low - room : low / 2;
    high = linear ? high + room : high * 2;
  } else if (any) {  // marks at the ends are not cut
    const double room = linear ? 0.04 * (high - low) : std::pow(high / low, 0.03);
    low = linear ? low - room : low / room;
    high = linear ? high + room : high * room;
  }
  if (axis.low && is_usable(*axis.low, axis.scale)) low = *axis.low;
  if (axis.high && is_usable(*axis.high, axis.scale)) high = *axis.high;
  if (!(low < high)) high = linear ? low + std::max(std::abs(low) * 0.1, 1.0) : low * 10;
  return {axis.scale, low, high};
}

std::vector<Tick> ticks_of(const AxisRange& range, int wanted) {
  return range.scale == Scale::linear ? linear_ticks(range, wanted) : logarithmic_ticks(range);
}

std::string short_number(double value, int digits) {
  if (value == 0) return "0";  // not "-0"
  const double size = std::abs(value);
  if (!std::isfinite(value) || size < 1e-4 || size >= 1e6) return fmt::format("{:.{}g}", value, digits);
  const int decimals = std::max(0, digits - 1 - static_cast<int>(std::floor(std::log10(size))));
  std::string text = fmt::format("{:.{}f}", value, decimals);
  if (text.find('.') != std::string::npos) {
    text.erase(text.find_last_not_of('0') + 1);
    if (text.back() == '.') text.pop_back();
  }
  return text;
}

}  // namespace nearfar::plot
