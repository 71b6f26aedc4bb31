#include "plan/search.h"

#include "base/error.h"
#include "base/hash.h"
#include "base/text.h"
#include "config/axis.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <set>
#include <utility>

namespace nearfar {
namespace {

constexpr std::size_t kMostShown = 12;       // values of an axis in a row of a report
constexpr double kWidest = 1e4;              // of a declared range, for a uniform draw to mean something
constexpr std::uint64_t kTriesForEach = 20;  // draws, after which the rare points are not waited for

/// What one parameter may be, with the plugin's types.
struct Axis {
  std::string name;
  std::vector<ParamValue> values = {};  ///< empty: numbers between these
  std::pair<double, double> between = {};
  bool logarithmic = false, whole = false, ranged = false;

  bool endless() const { return values.empty() && !whole && between.first < between.second; }
  /// Different values; of endless ones infinity.
  double size() const {
    if (!values.empty()) return static_cast<double>(values.size());
    if (endless()) return std::numeric_limits<double>::infinity();
    return between.second - between.first + 1;
  }
  ParamValue at(std::uint64_t place) const {
    if (!values.empty()) return values[place];
    return number(between.first + static_cast<double>(place));
  }
  ParamValue drawn(double unit) const {
    if (!values.empty()) return values[static_cast<std::size_t>(unit * static_cast<double>(values.size()))];
    return number(number_between(between, logarithmic, whole, unit));
  }

 private:
  ParamValue number(double value) const {
    if (whole) return static_cast<std::int64_t>(value);
    return value;
  }
};

using Axes = std::vector<Axis>;

bool is_numeric(const ParamSpec& spec) { return spec.type == ParamType::integer || spec.type == ParamType::number; }

/// A range around the default that somebody might mean, as it would be written.
std::string suggested_range(const ParamSpec& spec) {
  const double usual = spec.type == ParamType::integer ? static_cast<double>(std::get<std::int64_t>(spec.default_value))
                                                       : std::get<double>(spec.default_value);
  double low = usual > 0 ? usual / 10 : usual - 10, high = usual > 0 ? usual * 10 : usual + 10;
  if (spec.type == ParamType::integer) low = std::ceil(low), high = std::floor(high);
  low = std::max(low, spec.minimum), high = std::min(high, spec.maximum);
  return fmt::format("{} = {{ between = [{}, {}]{} }}", spec.name, number_text(twelve_digits(low)),
                     number_text(twelve_digits(high)), low > 0 ? ", log = true" : "");
}

/// The range that the plugin declares, if one draw from it is worth a trial.
Axis declared_axis(const ParamSpec& spec, const std::string& where) {
  Axis axis{.name = spec.name};
  if (spec.type == ParamType::boolean) {
    axis.values = {false, true};
  } else if (!spec.choices.empty()) {
    axis.values.assign(spec.choices.begin(), spec.choices.end());
  } else if (!is_numeric(spec)) {
    throw Error(ErrorKind::config, fmt::format("{}: '{}' declares no values to draw from; write them: tune = {{ {} = "
                                               "[…] }}",
                                               where, spec.name, spec.name));
  } else {
    const double width = spec.maximum - spec.minimum;
    if (!(width <= kWidest) || (spec.minimum > 0 && spec.maximum / spec.minimum > kWidest)) {
      throw Error(
          ErrorKind::config,
          fmt::format("{}: '{}' is declared from {} to {}, too wide to draw from; write the range that you "
                      "mean: tune = {{ {} }}",
                      where, spec.name, number_text(spec.minimum), number_text(spec.maximum), suggested_range(spec)));
    }
    axis.between = {spec.minimum, spec.maximum};
    axis.whole = spec.type == ParamType::integer;
  }
  return axis;
}

Axis axis_of(const ParamSchema& schema, const std::string& name, const TuneAxis& tune, const std::string& place) {
  const std::string where = fmt::format("{}: {}", tune.where, place);
  const auto spec = std::ranges::find(schema, name, &ParamSpec::name);
  const bool is_file = spec != schema.end() && spec->type == ParamType::file;
  if (!tune.values.empty() || is_file) {  // of files it says why not
    std::vector<ParamValue> values = is_file ? std::vector<ParamValue>{""} : tune.values;
    return {.name = name,
            .values = checked_grid(schema, {{name, std::move(values)}}, where).axes.front().values,
            .ranged = tune.ranged};
  }
  const auto [low, high] = tune.between.value_or(std::pair{0.0, 0.0});
  // Says what is wrong with the name, the type or a bound.
  if (tune.between || spec == schema.end()) validate(schema, {{name, low}}, where);
  if (!tune.between) return declared_axis(*spec, where);
  validate(schema, {{name, high}}, where);
  return {
      .name = name, .between = {low, high}, .logarithmic = tune.logarithmic, .whole = spec->type == ParamType::integer};
}

/// In the order in which the first one varies fastest: the schema's, or that of the plugin's own grid.
Axes axes_of(const PluginDescription& plugin, const PostprocessorChoice& choice, const std::string& place) {
  Axes axes;
  if (choice.tune.mode == TuneChoice::Mode::openood && plugin.tuned) {
    for (const ParamGrid::Axis& axis : plugin.sweep.axes) {
      if (!choice.params.contains(axis.name)) axes.push_back({.name = axis.name, .values = axis.values});
    }
  }
  for (const auto& [name, axis] : choice.tune.axes) axes.push_back(axis_of(plugin.params, name, axis, place));
  if (choice.tune.mode == TuneChoice::Mode::grid) {
    const auto at = [&](const Axis& axis) {
      return std::ranges::find(plugin.params, axis.name, &ParamSpec::name) - plugin.params.begin();
    };
    std::ranges::sort(axes, [&](const Axis& a, const Axis& b) { return at(a) < at(b); });
  }
  return axes;
}

double combinations(const Axes& axes) {
  double product = 1;
  for (const Axis& axis : axes) product *= axis.size();
  return product;
}

/// The point at a place of the grid's order; of axes that are not endless.
ParamMap point_at(const Axes& axes, std::uint64_t index) {
  ParamMap point;
  for (const Axis& axis : axes) {
    const auto size = static_cast<std::uint64_t>(axis.size());
    point.emplace(axis.name, axis.at(index % size));
    index /= size;
  }
  return point;
}

/// Each axis draws numbers of its own, by its place among the names: the order of the axes changes nothing.
std::vector<std::uint64_t> streams_of(const Axes& axes) {
  std::vector<std::uint64_t> streams;
  for (const Axis& axis : axes) {
    streams.push_back(static_cast<std::uint64_t>(
        std::ranges::count_if(axes, [&](const Axis& other) { return other.name < axis.name; })));
  }
  return streams;
}

/// Different ones, fewer than there are.
std::vector<ParamMap> drawn_points(const Axes& axes, const RandomSearch& search, const std::string& place) {
  const std::vector<std::uint64_t> streams = streams_of(axes);
  const auto wanted = static_cast<std::size_t>(search.trials);
  std::vector<ParamMap> points;
  std::set<ParamMap> seen;
  const auto add = [&](ParamMap point) {
    if (seen.insert(point).second) points.push_back(std::move(point));
  };
  for (std::uint64_t draw = 0; draw < kTriesForEach * wanted && points.size() < wanted; ++draw) {
    ParamMap point;
    for (std::size_t i = 0; i < axes.size(); ++i)
      point.emplace(axes[i].name, axes[i].drawn(drawn_unit(search.seed, draw, streams[i])));
    add(std::move(point));
  }
  const bool endless = std::ranges::any_of(axes, &Axis::endless);
  for (std::uint64_t index = 0; !endless && points.size() < wanted; ++index) add(point_at(axes, index));
  if (points.size() < wanted) {
    throw Error(
        ErrorKind::config,
        fmt::format("{}: {}: {} draws gave only {} different points, and 'trials' is {}; ask for fewer, or widen "
                    "a 'between'",
                    search.where, place, kTriesForEach * wanted, points.size(), wanted));
  }
  return points;
}

/// Every value of an axis that is not endless.
void list_values(Axis& axis) {
  if (!axis.values.empty()) return;
  const auto size = static_cast<std::uint64_t>(axis.size());
  std::vector<ParamValue> values;  // apart: an axis with values has no bounds
  for (std::uint64_t place = 0; place < size; ++place) values.push_back(axis.at(place));
  axis.values = std::move(values);
  axis.ranged = true;
}

ParamGrid grid_of(const Axes& axes) {
  ParamGrid grid;
  for (const Axis& axis : axes) grid.axes.push_back({axis.name, axis.values});
  return grid;
}

double as_number(const ParamValue& value) {
  const auto* integer = std::get_if<std::int64_t>(&value);
  return integer != nullptr ? static_cast<double>(*integer) : std::get<double>(value);
}

/// "k=5,50", "k=range(1,500,1)", "k=between(1,500)". Values that somebody wrote down for a grid are shown as they are.
std::string axis_text(const Axis& axis, bool is_drawn) {
  if (axis.values.empty()) {
    return fmt::format("{}=between({},{}{})", axis.name, number_text(axis.between.first),
                       number_text(axis.between.second), axis.logarithmic ? ",log" : "");
  }
  const std::string all = grid_text({.axes = {{axis.name, axis.values}}});
  if (axis.values.size() <= kMostShown || !(axis.ranged || is_drawn)) return replace_all(all, ";", " ");
  const ParamValue &first = axis.values.front(), &second = axis.values[1], &last = axis.values.back();
  if (!axis.ranged)
    return fmt::format("{}={},…,{} ({} values, {})", axis.name, param_text(first), param_text(last), axis.values.size(),
                       sha256(all).substr(0, 8));
  return fmt::format("{}=range({},{},{})", axis.name, param_text(first), param_text(last),
                     number_text(twelve_digits(as_number(second) - as_number(first))));
}

std::string axes_text(const Axes& axes, bool are_drawn) {
  std::vector<std::string> parts;
  for (const Axis& axis : axes) parts.push_back(axis_text(axis, are_drawn));
  return join(parts, " ");
}

}  // namespace

SearchPlan plan_search(const PluginDescription& plugin, const PostprocessorChoice& choice) {
  const TuneChoice& tune = choice.tune;
  const std::string place = fmt::format("tune of postprocessor '{}'", choice.name);
  Axes axes = axes_of(plugin, choice, place);
  if (axes.empty()) return {};
  if (tune.search && combinations(axes) > static_cast<double>(tune.search->trials)) {
    return {.grid = checked_points(plugin.params, drawn_points(axes, *tune.search, place), tune.search->where),
            .text = fmt::format("{{{} random points of seed {}: {}}}", tune.search->trials, tune.search->seed,
                                axes_text(axes, true))};
  }
  for (Axis& axis : axes) list_values(axis);
  SearchPlan plan{.grid = grid_of(axes), .text = "{" + axes_text(axes, false) + "}"};
  if (tune.mode == TuneChoice::Mode::openood) {
    if (plan.grid == plugin.sweep) plan.text = "openood";
  } else {
    plan.grid = checked_grid(plugin.params, std::move(plan.grid.axes), fmt::format("{}: {}", tune.where, place));
  }
  return plan;
}

}  // namespace nearfar
