#include "host/grid.h"

#include "base/error.h"
#include "base/text.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <set>

namespace nearfar {
namespace {
constexpr std::size_t kMostPoints = 100'000;
constexpr std::string_view kZip = "zip";  // before the axes of a list of points; no axis, for want of a '='

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

/// The axis' values by the schema's type, allowed ones all.
std::vector<ParamValue> converted(const ParamSchema& schema, const ParamGrid::Axis& axis, std::string_view where) {
  if (axis.values.empty())
    throw Error(ErrorKind::config, fmt::format("{}: the grid has no value for '{}'", where, axis.name));
  const auto searched = std::ranges::find(schema, axis.name, &ParamSpec::name);
  if (searched != schema.end() && searched->type == ParamType::file) {  // identity has contents, a grid only texts
    throw Error(ErrorKind::config, fmt::format("{}: '{}' is a file and cannot be searched; give one file, or run once "
                                               "for each",
                                               where, axis.name));
  }
  std::vector<ParamValue> values;
  for (const ParamValue& value : axis.values)
    values.push_back(validate(schema, {{axis.name, value}}, where).values().at(axis.name));
  return values;
}

void refuse_twice(const ParamGrid::Axis& axis, std::string_view where) {
  std::set<ParamValue> seen;
  for (const ParamValue& value : axis.values) {
    if (seen.insert(value).second) continue;
    throw Error(ErrorKind::config, fmt::format("{}: {} stands twice among the grid's values of '{}'", where,
                                               param_text(value), axis.name));
  }
}

void check_points(const ParamGrid& grid, std::string_view where) {
  for (const ParamGrid::Axis& axis : grid.axes) {
    if (axis.values.size() == grid.size()) continue;
    throw Error(ErrorKind::config,
                fmt::format("{}: a list of points has {} values of '{}' and {} of '{}'; expected as many of each",
                            where, grid.size(), grid.axes[0].name, axis.values.size(), axis.name));
  }
  std::set<ParamMap> seen;
  for (std::size_t i = 0; i < grid.size(); ++i) {
    if (seen.insert(grid.point(i)).second) continue;
    throw Error(ErrorKind::config,
                fmt::format("{}: the point {} stands twice", where, canonical_params(grid.point(i))));
  }
}

ParamGrid checked(const ParamSchema& schema, ParamGrid grid, std::string_view where) {
  std::set<std::string_view> names;
  std::size_t points = 1;
  for (ParamGrid::Axis& axis : grid.axes) {
    if (!names.insert(axis.name).second)
      throw Error(ErrorKind::config, fmt::format("{}: parameter '{}' stands twice in the grid", where, axis.name));
    axis.values = converted(schema, axis, where);
    if (!grid.zipped) refuse_twice(axis, where);
    if (axis.values.size() > kMostPoints / points)
      throw Error(ErrorKind::config, fmt::format("{}: the grid has more than {} points", where, kMostPoints));
    if (!grid.zipped) points *= axis.values.size();
  }
  if (grid.zipped) check_points(grid, where);
  if (grid.axes.size() < 2) grid.zipped = false;  // the same points
  return grid;
}

void sort_axes(const ParamSchema& schema, ParamGrid& grid) {
  const auto place = [&](const ParamGrid::Axis& axis) {
    return std::ranges::find(schema, axis.name, &ParamSpec::name) - schema.begin();
  };
  std::ranges::stable_sort(grid.axes, [&](const auto& a, const auto& b) { return place(a) < place(b); });
}

}  // namespace

std::size_t ParamGrid::size() const {
  if (zipped) return axes.front().values.size();
  std::size_t points = axes.empty() ? 0 : 1;
  for (const Axis& axis : axes) points *= axis.values.size();
  return points;
}

ParamMap ParamGrid::point(std::size_t index) const {
  NEARFAR_ASSERT(index < size());
  ParamMap result;
  for (const Axis& axis : axes) {
    result.emplace(axis.name, axis.values[index % axis.values.size()]);
    if (!zipped) index /= axis.values.size();
  }
  return result;
}

ParamGrid grid_from_text(const ParamSchema& schema, std::string_view text, std::string_view where) {
  ParamGrid grid;
  if (trim(text).empty()) return grid;
  std::vector<std::string_view> parts = split_unquoted(text, ';');
  grid.zipped = parts.size() > 1 && trim(parts.front()) == kZip;
  if (grid.zipped) parts.erase(parts.begin());
  for (const std::string_view part : parts) {
    const std::size_t equals = part.find('=');
    if (equals == std::string_view::npos) {
      throw Error(ErrorKind::config,
                  fmt::format("{}: '{}' in the grid '{}' has no '='; expected key=value,value", where, part, text));
    }
    ParamGrid::Axis axis{std::string(trim(part.substr(0, equals))), {}};
    for (const std::string_view value : split_unquoted(part.substr(equals + 1), ','))
      axis.values.push_back(value_of(schema, axis.name, value, where));
    grid.axes.push_back(std::move(axis));
  }
  return checked(schema, std::move(grid), where);
}

ParamGrid checked_grid(const ParamSchema& schema, std::vector<ParamGrid::Axis> axes, std::string_view where) {
  ParamGrid grid = checked(schema, {.axes = std::move(axes)}, where);
  sort_axes(schema, grid);
  return grid;
}

ParamGrid checked_points(const ParamSchema& schema, const std::vector<ParamMap>& points, std::string_view where) {
  NEARFAR_ASSERT(!points.empty() && !points.front().empty());
  ParamGrid grid{.axes = {}, .zipped = true};
  for (const auto& [name, value] : points.front()) {
    ParamGrid::Axis& axis = grid.axes.emplace_back(ParamGrid::Axis{name, {}});
    for (const ParamMap& point : points) {
      NEARFAR_ASSERT(point.size() == points.front().size());
      axis.values.push_back(point.at(name));
    }
  }
  grid = checked(schema, std::move(grid), where);
  sort_axes(schema, grid);
  return grid;
}

std::string grid_text(const ParamGrid& grid) {
  std::vector<std::string> axes;
  if (grid.zipped) axes.emplace_back(kZip);
  for (const ParamGrid::Axis& axis : grid.axes) {
    std::vector<std::string> values;
    for (const ParamValue& value : axis.values) values.push_back(value_text(value));
    axes.push_back(axis.name + "=" + join(values, ","));
  }
  return join(axes, ";");
}

}  // namespace nearfar
