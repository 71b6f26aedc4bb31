#include "host/param_rows.h"

#include "base/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace nearfar {
namespace {

std::string text(const char* value) { return value == nullptr ? std::string() : std::string(value); }

}  // namespace

bool spelled_in_words(std::string_view name, char joint) {
  const auto word = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  if (name.empty() || !word(name.front()) || !word(name.back())) return false;
  return std::ranges::all_of(name, [&](char c) { return word(c) || c == joint; });
}

std::string param_row_fault(const Param& row) {
  const auto whole = [](double value) { return std::trunc(value) == value; };
  const auto exact = [](double value) { return !std::isfinite(value) || std::abs(value) <= 0x1p53; };
  if (!spelled_in_words(text(row.name), '_')) return "its name is not lower_case";
  switch (row.type) {
    case ParamType::boolean:
      return row.default_number == 0 || row.default_number == 1 ? "" : "its default is neither 0 nor 1";
    case ParamType::integer:
      if (!whole(row.default_number) || !whole(row.minimum) || !whole(row.maximum))
        return "its default or range is not whole";
      if (!exact(row.default_number) || !exact(row.minimum) || !exact(row.maximum))
        return "its default or range is beyond 2^53";
      [[fallthrough]];
    case ParamType::number: {
      if (std::isfinite(row.default_number) && row.minimum <= row.default_number && row.default_number <= row.maximum)
        return "";
      return fmt::format("its default {} is outside {} to {}", row.default_number, row.minimum, row.maximum);
    }
    case ParamType::file:
      return text(row.default_text).empty() ? "" : "its default names a file; expected none";
    case ParamType::text: {
      const std::vector<std::string> choices = split(text(row.choices), '|');
      const bool any = text(row.choices).empty();
      return any || std::ranges::find(choices, text(row.default_text)) != choices.end()
                 ? ""
                 : "its default is not one of its choices";
    }
  }
  return fmt::format("its type {} is unknown", static_cast<int>(row.type));
}

ParamSpec param_spec(const Param& row) {
  ParamSpec spec{
      .name = text(row.name), .type = row.type, .minimum = row.minimum, .maximum = row.maximum, .help = text(row.help)};
  switch (row.type) {
    case ParamType::boolean:
      spec.default_value = row.default_number != 0;
      break;
    case ParamType::integer:
      spec.default_value = static_cast<std::int64_t>(row.default_number);
      break;
    case ParamType::number:
      spec.default_value = row.default_number;
      break;
    case ParamType::text:
    case ParamType::file:
      spec.default_value = text(row.default_text);
      if (!text(row.choices).empty()) spec.choices = split(text(row.choices), '|');
      break;
  }
  return spec;
}

}  // namespace nearfar
