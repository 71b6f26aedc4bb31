#pragma once
/// One axis, as sweeps ([sweep.axes]) and parameter searches (`tune`) write it, and the draws that `between` asks for.
///
// clang-format off
///   k = 5                                        # one value
///   k = [5, 50]                                  # or { values = [5, 50] }
///   k = { range = [10, 50], step = 10 }          # 10, 20, …, 50; the step is 1 where it is missing
///   alpha = { between = [1e-4, 1e-1], log = true }   # any number of these; log: of their logarithms
// clang-format on
///
/// Errors are Error(config) with file:line:column. Plain values and pure functions, safe from any thread.
#include "config/condition.h"
#include "config/document.h"

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace nearfar {

struct AxisValues {
  std::vector<Value> values = {};  ///< none twice; empty where `between` is set
  std::optional<std::pair<double, double>> between = {};
  bool logarithmic = false;
  bool whole = false;   ///< both bounds of `between` are written as integers
  bool ranged = false;  ///< the values come from a range
  std::string where = {};
};

/// `name` is the axis in messages. `when`: where the condition of a table goes; nullptr where an axis may have none.
AxisValues read_axis(const Value& value, const std::string& name, std::optional<Condition>* when = nullptr);

/// A number in [0, 1) for each draw and axis of a seed, in any order, the same on every machine.
double drawn_unit(std::int64_t seed, std::uint64_t draw, std::uint64_t axis);

/// The number at `unit` of [0, 1) between the bounds, or of their logarithms, which are then above 0; whole: each
/// integer from one to the other, bounds among them.
double number_between(std::pair<double, double> bounds, bool logarithmic, bool whole, double unit);

/// The nearest number of twelve digits: 0.15, not 0.15000000000000002.
double twelve_digits(double number);
/// A value of an axis: whole, or with twelve digits.
Value number_value(double number, bool whole, const std::string& where);

/// 0.05, "supcon", "ce,supcon" of a list, "k: 5,50" of a table.
std::string value_text(const Value& value);

}  // namespace nearfar
