#pragma once
/// From numbers to places along one side of a picture, and the numbers written there. Private to plot/. Pure.
#include "plot/charts.h"

#include <string>
#include <vector>

namespace nearfar::plot {

struct Tick {
  double value = 0;
  std::string text = {};  ///< "" = a small one without a number
};

/// A scale with its ends. Finite whatever the data were.
struct AxisRange {
  Scale scale = Scale::linear;
  double low = 0, high = 1;

  /// 0 at `low`, 1 at `high`. Of a logarithmic scale, what is not positive lies one length before the beginning.
  double share(double value) const;
};

/// The axis's ends, those of the data where it has none. `values` may be anything; what is not finite, and on a
/// logarithmic scale not positive, is not looked at. A single value gets room on both sides. Ends that are given the
/// wrong way round, equal, or not positive on a logarithmic scale, are not used.
AxisRange range_of(const Axis& axis, const std::vector<double>& values);

/// At multiples of 1, 2 or 5 times a power of ten, about `wanted`; on a logarithmic scale at powers of ten, and at 2
/// and 5 times them where there are fewer than three. Ascending, within the range.
std::vector<Tick> ticks_of(const AxisRange& range, int wanted);

/// For people: at most `digits` significant digits, no exponent between 0.0001 and 999999.
std::string short_number(double value, int digits = 4);

}  // namespace nearfar::plot
