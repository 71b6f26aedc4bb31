#include "host/grid.h"

#include "base/error.h"
#include "base/text.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>

namespace nearfar {
namespace {
constexpr std::size_t kMostPoints = 100'000;

/// Would read back as something else: as two values, or trimmed.
bool needs_quotes(std::string_view text) {
  return text.find_first_of(",;\"") != std::string_view::npos || trim(text).size() != text.size();
}

std::string value_text(const ParamValue& value) {
  const auto* text = std::get_if<std::string>(&value);
  return text != nullptr && needs_quotes(*text) ? nlohmann::json(*text).dump() : param_text(value);
}

/// Splits at `separator`, but not within quotes.
std::vector<std::string_view> split_unquoted(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  std::size_t begin = 0;
  bool quoted = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '"') quoted = !quoted;
    if (quoted && text[i] == '\\') ++i;  // whatever follows is meant as it stands
    if (quoted || text[i] != separator) continue;
    parts.push_back(text.substr(begin, i - begin));
    begin = i + 1;
  }
  parts.push_back(text.substr(begin));
  return parts;
}

ParamValue value_of(const ParamSchema& schema, const std::string& name, std::string_view text, std::string_view where) {
  if (text.find('"') == std::string_view::npos) {
    const std::string assignment = fmt::format("{}={}", name, text);
    return params_from_text(schema, std::span(&assignment, 1), where).at(name);
  }
  const auto value = nlohmann::json::parse(text, nullptr, false);
  if (!value.is_string()) {
    throw Error(ErrorKind::config,
                fmt::format("{}: the grid's value {} of '{}' is not well quoted; expected a JSON text such as \"a,b\"",
                            where, trim(text), name));
  }
  return value.get<std::string>();
}

std::vector<ParamGrid::Axis> converted(const ParamSchema& schema, std::vector<ParamGrid::Axis> axes,
                                       std::string_view where) {
  std::size_t points = 1;
  for (std::size_t i = 0; i < axes.size(); ++i) {
    ParamGrid::Axis& axis = axes[i];
    const auto same = [&](const ParamGrid::Axis& other) { return other.name == axis.name; };
    if (std::any_of(axes.begin(), axes.begin() + static_cast<std::ptrdiff_t>(i), same)) {
      throw Error(ErrorKind::config, fmt::format("{}: parameter '{}' stands twice in the grid", where, axis.name));
    }
    if (axis.values.empty())
      throw Error(ErrorKind::config, fmt::format("{}: the grid has no value for '{}'", where, axis.name));
    const auto searched = std::ranges::find(schema, axis.name, &ParamSpec::name);
    if (searched != schema.end() && searched->type == ParamType::file) {  // identity has contents, a grid only texts
      throw Error(ErrorKind::config,
                  fmt::format("{}: '{}' is a file and cannot be searched; give one file, or run once "
                              "for each",
                              where, axis.name));
    }
    std::vector<ParamValue> values;
    for (const ParamValue& value : axis.values) {
      const ParamValue checked = validate(schema, {{axis.name, value}}, where).values().at(axis.name);
      if (std::ranges::find(values, checked) != values.end()) {
        throw Error(ErrorKind::config, fmt::format("{}: {} stands twice among the grid's values of '{}'", where,
                                                   param_text(value), axis.name));
      }
      values.push_back(checked);
    }
    axis.values = std::move(values);
    if (axis.values.size() > kMostPoints / points) {
      throw Error(ErrorKind::config, fmt::format("{}: the grid has more than {} points", where, kMostPoints));
    }
    points *= axis.values.size();
  }
  return axes;
}
}  // namespace

std::size_t ParamGrid::size() const {
  std::size_t points = axes.empty() ? 0 : 1;
  for (const Axis& axis : axes) points *= axis.values.size();
  return points;
}

ParamMap ParamGrid::point(std::size_t index) const {
  NEARFAR_ASSERT(index < size());
  ParamMap result;
  for (const Axis& axis : axes) {
    result.emplace(axis.name, axis.values[index % axis.values.size()]);
    index /= axis.values.size();
  }
  return result;
}

ParamGrid grid_from_text(const ParamSchema& schema, std::string_view text, std::string_view where) {
  std::vector<ParamGrid::Axis> axes;
  if (trim(text).empty()) return {};
  for (const std::string_view part : split_unquoted(text, ';')) {
    const std::size_t equals = part.find('=');
    if (equals == std::string_view::npos) {
      throw Error(ErrorKind::config,
                  fmt::format("{}: '{}' in the grid '{}' has no '='; expected key=value,value", where, part, text));
    }
    ParamGrid::Axis axis{std::string(trim(part.substr(0, equals))), {}};
    for (const std::string_view value : split_unquoted(part.substr(equals + 1), ','))
      axis.values.push_back(value_of(schema, axis.name, value, where));
    axes.push_back(std::move(axis));
  }
  return {converted(schema, std::move(axes), where)};
}

ParamGrid checked_grid(const ParamSchema& schema, std::vector<ParamGrid::Axis> axes, std::string_view where) {
  ParamGrid grid{converted(schema, std::move(axes), where)};
  const auto place = [&](const ParamGrid::Axis& axis) {
    return std::ranges::find(schema, axis.name, &ParamSpec::name) - schema.begin();
  };
  std::ranges::stable_sort(grid.axes, [&](const auto& a, const auto& b) { return place(a) < place(b); });
  return grid;
}

std::string grid_text(const ParamGrid& grid) {
  std::vector<std::string> axes;
  for (const ParamGrid::Axis& axis : grid.axes) {
    std::vector<std::string> values;
    for (const ParamValue& value : axis.values) values.push_back(value_text(value));
    axes.push_back(axis.name + "=" + join(values, ","));
  }
  return join(axes, ";");
}

}  // namespace nearfar
