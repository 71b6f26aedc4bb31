#include "config/axis.h"

#include "base/random.h"
#include "base/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <set>

namespace nearfar {
namespace {

bool is_number(const Value& value) {
  return std::holds_alternative<std::int64_t>(value.data) || std::holds_alternative<double>(value.data);
}

double number_of(const Value& value) {
  const auto* integer = std::get_if<std::int64_t>(&value.data);
  return integer != nullptr ? static_cast<double>(*integer) : std::get<double>(value.data);
}

/// Two numbers of a list.
std::pair<double, double> bounds_of(const Value& value, const std::string& axis, std::string_view what) {
  const Value::List* list = value.list();
  const bool numbers = list != nullptr && list->size() == 2 && is_number((*list)[0]) && is_number((*list)[1]);
  if (!numbers || !(number_of((*list)[0]) <= number_of((*list)[1])) || !std::isfinite(number_of((*list)[0])) ||
      !std::isfinite(number_of((*list)[1])))
    fail_at(value.where, fmt::format("'{}' of the axis '{}' takes [FIRST, LAST], two numbers in order", what, axis));
  return {number_of((*list)[0]), number_of((*list)[1])};
}

bool all_whole(const Value::List& list) {
  return std::all_of(list.begin(), list.end(),
                     [](const Value& one) { return std::holds_alternative<std::int64_t>(one.data); });
}

/// FIRST, FIRST + step, … up to LAST.
std::vector<Value> range_values(const Value& range, const Value* step, const std::string& axis) {
  const auto [first, last] = bounds_of(range, axis, "range");
  const double by = step == nullptr ? 1 : is_number(*step) ? number_of(*step) : 0;
  if (!(by > 0)) fail_at(step->where, fmt::format("'step' of the axis '{}' takes a number above 0", axis));
  const double count = std::floor((last - first) / by + 1e-9) + 1;
  if (count > 1e6)
    fail_at(range.where, fmt::format("the range of the axis '{}' has {:.3g} values; take a larger step", axis, count));
  const bool whole = all_whole(*range.list()) && (step == nullptr || std::holds_alternative<std::int64_t>(step->data));
  std::vector<Value> values;
  for (std::int64_t i = 0; i < static_cast<std::int64_t>(count); ++i)
    values.push_back(number_value(first + static_cast<double>(i) * by, whole, range.where));
  return values;
}

/// { values | range, step | between, log, when }.
AxisValues table_axis(const Value& table, const std::string& name, std::optional<Condition>* when) {
  AxisValues axis{.where = table.where};
  Section section(&table, fmt::format("the axis '{}'", name));
  const Value *values = section.find("values"), *range = section.find("range"), *between = section.find("between"),
              *step = section.find("step");
  std::string condition;
  section.read("log", axis.logarithmic);
  if (when != nullptr && section.read("when", condition)) when->emplace(condition, section.where("when"));
  section.finish();
  if ((values != nullptr) + (range != nullptr) + (between != nullptr) != 1 || (step != nullptr && range == nullptr))
    fail_at(axis.where, fmt::format("the axis '{}' takes one of values = […], range = [FIRST, LAST] (with step = …) "
                                    "and between = [LOW, HIGH]",
                                    name));
  if (axis.logarithmic && between == nullptr)
    fail_at(axis.where, fmt::format("'log' of the axis '{}' goes with between = [LOW, HIGH]", name));
  if (values != nullptr) axis.values = values->list() != nullptr ? *values->list() : std::vector<Value>{*values};
  if (range != nullptr) axis.values = range_values(*range, step, name);
  axis.ranged = range != nullptr;
  if (between != nullptr) {
    axis.between = bounds_of(*between, name, "between");
    axis.whole = all_whole(*between->list());
    if (axis.logarithmic && !(axis.between->first > 0))
      fail_at(between->where, fmt::format("'log' of the axis '{}' wants bounds above 0", name));
  }
  return axis;
}

/// A container within a table: in brackets, so that it is told from its neighbours.
std::string bracketed(const Value& value) {
  const std::string text = value_text(value);
  return value.table() != nullptr ? "{" + text + "}" : text;
}

}  // namespace

AxisValues read_axis(const Value& value, const std::string& name, std::optional<Condition>* when) {
  AxisValues axis{.where = value.where};
  if (value.table() != nullptr) {
    axis = table_axis(value, name, when);
  } else {
    axis.values = value.list() != nullptr ? *value.list() : std::vector<Value>{value};
  }
  if (axis.values.empty() && !axis.between)
    fail_at(axis.where, fmt::format("the axis '{}' is empty; give it a value, or leave it out", name));
  std::set<std::string> seen;
  for (const Value& one : axis.values) {
    if (!seen.insert(value_text(one)).second)
      fail_at(one.where, fmt::format("{} stands twice in the axis '{}'", value_text(one), name));
  }
  return axis;
}

double drawn_unit(std::int64_t seed, std::uint64_t draw, std::uint64_t axis) {
  const std::uint64_t mixed = splitmix64(splitmix64(splitmix64(static_cast<std::uint64_t>(seed)) ^ draw) ^ axis);
  return static_cast<double>(mixed >> 11U) * 0x1p-53;
}

double number_between(std::pair<double, double> bounds, bool logarithmic, bool whole, double unit) {
  const auto [low, high] = bounds;
  double number = low + unit * (high - low);
  if (logarithmic) {
    number = std::exp(std::log(low) + unit * std::log(high / low));
    if (whole) number = std::round(number);
  } else if (whole) {
    number = std::floor(low + unit * (high - low + 1));
  }
  // Twelve digits also hide what libraries of mathematics differ in.
  return std::clamp(whole ? number : twelve_digits(number), low, high);
}

double twelve_digits(double number) { return std::strtod(fmt::format("{:.12g}", number).c_str(), nullptr); }

Value number_value(double number, bool whole, const std::string& where) {
  Value value{.data = {}, .where = where, .key_where = where, .raw = {}};
  if (whole) {
    value.data = static_cast<std::int64_t>(std::llround(number));
  } else {
    value.data = twelve_digits(number);
  }
  return value;
}

std::string value_text(const Value& value) {
  return std::visit(
      [](const auto& held) -> std::string {
        using T = std::decay_t<decltype(held)>;
        if constexpr (std::is_same_v<T, bool>) {
          return held ? "true" : "false";
        } else if constexpr (std::is_same_v<T, std::int64_t>) {
          return std::to_string(held);
        } else if constexpr (std::is_same_v<T, double>) {
          return number_text(held);
        } else if constexpr (std::is_same_v<T, std::string>) {
          return held;
        } else {
          std::vector<std::string> parts;
          if constexpr (std::is_same_v<T, Value::List>) {
            for (const Value& one : held) parts.push_back(value_text(one));
          } else {
            for (const auto& [key, one] : held) parts.push_back(key + ": " + bracketed(one));
          }
          return join(parts, ",");
        }
      },
      value.data);
}

}  // namespace nearfar
