// From axes, conditions and exclusions to the points of a sweep.
#include "base/text.h"
#include "config/overrides.h"
#include "config/recipe.h"
#include "config/sweep.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <numeric>
#include <set>

namespace nearfar {
namespace {

constexpr double kMostLookedThrough = 2e7;  // combinations, where conditions leave some out: seconds

/// Values of the keys of [train] that nobody has set.
const std::map<std::string, Value>& recipe_defaults() {
  static const std::map<std::string, Value> defaults = [] {
    std::map<std::string, Value> all;
    for (const RecipeField& field : recipe_fields({})) {
      Value value;
      std::visit([&](const auto& held) { value.data = held; }, field.value);
      all.emplace("train." + field.name, std::move(value));
    }
    return all;
  }();
  return defaults;
}

}  // namespace

double Sweep::combinations() const {
  double product = 1, sum = 1;
  for (const Axis& axis : axes_) {
    const auto size = static_cast<double>(axis.values.size());
    product *= size;
    sum += size;
  }
  if (mode_ == "zip") return static_cast<double>(axes_[0].values.size());
  if (mode_ == "ablation") return sum;
  if (mode_ == "random") return static_cast<double>(samples_);
  return product * static_cast<double>(std::max<std::size_t>(1, listed_.size()));
}

/// One call of points().
class Sweep::Expansion {
 public:
  Expansion(Sweep& sweep, const Value& document, std::int64_t most, std::string_view limit_text)
      : sweep_(sweep), document_(document), most_(most), limit_text_(limit_text) {
    for (const Exclusion& exclusion : sweep.exclusions_) sweep.excluded_.emplace_back(exclusion.where, 0);
    order_axes();
    check_keys();
  }

  std::vector<Settings> run() {
    const bool filtered = !sweep_.exclusions_.empty() || std::any_of(sweep_.axes_.begin(), sweep_.axes_.end(),
                                                                     [](const Axis& axis) { return axis.when; });
    const double all = sweep_.combinations();
    if (!filtered && all > static_cast<double>(most_)) too_many(fmt::format("{:.0f}", all));
    if (sweep_.mode_ == "random") {
      draw();
    } else if (sweep_.mode_ == "ablation") {
      ablate();
    } else if (all > kMostLookedThrough) {
      too_many(fmt::format("{:.0f}, before conditions,", all));
    } else {
      combine();
    }
    if (points_.empty()) fail_at(sweep_.where_, "conditions and exclusions leave no point of this sweep");
    return std::move(points_);
  }

 private:
  [[noreturn]] void too_many(const std::string& how_many) const {
    std::vector<std::string> sizes;
    for (const Axis& axis : sweep_.axes_) sizes.push_back(fmt::format("{} ({})", axis.key, axis.values.size()));
    const std::string listed = sweep_.listed_.empty() ? "" : fmt::format(" for {} points", sweep_.listed_.size());
    fail_at(sweep_.where_, fmt::format("this sweep has {} combinations of {}{}: {}. Take fewer values, mode = "
                                       "\"random\" with samples = N, or raise --max-cells",
                                       how_many, join(sizes, " x "), listed, limit_text_));
  }

  /// An axis comes after those that its condition names.
  void order_axes() {
    std::vector<std::size_t> left(sweep_.axes_.size());
    std::iota(left.begin(), left.end(), 0);
    const auto waits = [&](std::size_t axis) {
      const auto& when = sweep_.axes_[axis].when;
      return when && std::any_of(when->keys().begin(), when->keys().end(), [&](const std::string& key) {
               const std::string path = axis_path(key, when->where());
               return std::any_of(left.begin(), left.end(),
                                  [&](std::size_t other) { return sweep_.axes_[other].key == path; });
             });
    };
    while (!left.empty()) {
      const auto next = std::find_if_not(left.begin(), left.end(), waits);
      if (next == left.end()) {
        const Axis& axis = sweep_.axes_[left[0]];
        fail_at(axis.where, fmt::format("the conditions of '{}' and other axes wait for each other", axis.key));
      }
      order_.push_back(*next);
      left.erase(next);
    }
  }

  void check_keys() const {
    for (const Axis& axis : sweep_.axes_) {
      if (axis.when) check_condition(*axis.when);
    }
    for (const Exclusion& exclusion : sweep_.exclusions_) {
      if (exclusion.when) check_condition(*exclusion.when);
      for (const Setting& setting : exclusion.all) check_key(setting.key, setting.value.where);
    }
  }

  void check_condition(const Condition& condition) const {
    for (const std::string& key : condition.keys()) check_key(key, condition.where());
  }

  void check_key(const std::string& key, const std::string& where) const {
    const std::string path = axis_path(key, where);
    std::vector<std::string> known;
    for (const Axis& axis : sweep_.axes_) known.push_back(axis.key);
    for (const Settings& point : sweep_.listed_) {
      for (const Setting& setting : point) known.push_back(setting.key);
    }
    if (std::find(known.begin(), known.end(), path) != known.end() ||
        find_value(document_, split(path, '.')) != nullptr || recipe_defaults().contains(path))
      return;
    const std::vector<std::string> parts = split(path, '.');  // a parameter at its default: the plugin knows it
    if (parts.size() > 2 && (parts[0] == "loss" || parts[0] == "postprocessor")) return;
    for (const auto& [name, value] : recipe_defaults()) known.push_back(name);
    for (const auto& [name, value] : *document_.table()) known.push_back(name);
    fail_at(where,
            fmt::format("the condition names '{}', which is no axis of this sweep and no key of this experiment{}", key,
                        suggestion(path, known)));
  }

  const Value* value_of(const Settings& settings, const std::string& key, const std::string& where) const {
    const std::string path = axis_path(key, where);
    for (const Setting& setting : settings) {
      if (setting.key == path) return &setting.value;
    }
    if (const Value* found = find_value(document_, split(path, '.'))) return found;
    const auto found = recipe_defaults().find(path);
    return found == recipe_defaults().end() ? nullptr : &found->second;
  }

  bool holds(const Condition& condition, const Settings& settings) const {
    return condition.holds([&](const std::string& key) { return value_of(settings, key, condition.where()); });
  }

  bool matches(const Exclusion& exclusion, const Settings& settings) const {
    if (exclusion.when && !holds(*exclusion.when, settings)) return false;
    return std::all_of(exclusion.all.begin(), exclusion.all.end(), [&](const Setting& wanted) {
      const Value* value = value_of(settings, wanted.key, wanted.value.where);
      if (value == nullptr) return false;
      const Value::List* any = wanted.value.list();
      if (any == nullptr) return same_value(*value, wanted.value);
      return std::any_of(any->begin(), any->end(), [&](const Value& one) { return same_value(*value, one); });
    });
  }

  /// Adds the point unless it is excluded or there already.
  void add(Settings settings) {
    std::sort(settings.begin(), settings.end(), [](const Setting& a, const Setting& b) { return a.key < b.key; });
    for (std::size_t i = 0; i < sweep_.exclusions_.size(); ++i) {
      if (!matches(sweep_.exclusions_[i], settings)) continue;
      ++sweep_.excluded_[i].second;
      return;
    }
    if (!seen_.insert(settings_text(settings)).second) return;
    if (static_cast<std::int64_t>(points_.size()) == most_) too_many(fmt::format("more than {}", most_));
    points_.push_back(std::move(settings));
  }

  /// The values of these places of the axes, without axes whose condition does not hold. False: such an axis is not at
  /// its first value, so that the same point has been there before.
  bool choose(const std::vector<std::size_t>& places, Settings& settings) const {
    for (const std::size_t index : order_) {
      const Axis& axis = sweep_.axes_[index];
      if (!axis.when || holds(*axis.when, settings)) {
        settings.push_back({axis.key, axis.values[places[index]]});
      } else if (places[index] > 0 && sweep_.mode_ != "zip") {
        return false;
      }
    }
    return true;
  }

  void combine() {
    const std::size_t axes = sweep_.axes_.size();
    const std::vector<Settings> one(1);
    for (const Settings& point : sweep_.listed_.empty() ? one : sweep_.listed_) {
      std::vector<std::size_t> places(axes, 0);
      for (bool more = true; more;) {
        Settings settings = point;
        if (choose(places, settings)) add(std::move(settings));
        more = sweep_.mode_ == "zip" ? step_together(places) : step(places);
      }
    }
  }

  /// The next combination, the last axis' values fastest.
  bool step(std::vector<std::size_t>& places) const {
    for (std::size_t i = places.size(); i-- > 0;) {
      if (++places[i] < sweep_.axes_[i].values.size()) return true;
      places[i] = 0;
    }
    return false;
  }

  bool step_together(std::vector<std::size_t>& places) const {
    for (std::size_t& place : places) ++place;
    return places[0] < sweep_.axes_[0].values.size();
  }

  void ablate() {
    add({});
    for (const Axis& axis : sweep_.axes_) {
      if (axis.when && !holds(*axis.when, {})) continue;
      const Value* baseline = value_of({}, axis.key, axis.where);
      for (const Value& value : axis.values) {
        if (baseline == nullptr || !same_value(*baseline, value)) add({{axis.key, value}});
      }
    }
  }

  static Value drawn(const Axis& axis, double unit) {
    if (!axis.between) return axis.values[static_cast<std::size_t>(unit * static_cast<double>(axis.values.size()))];
    return number_value(number_between(*axis.between, axis.logarithmic, axis.whole, unit), axis.whole, axis.where);
  }

  /// Different ones, until there are enough or no new ones come.
  void draw() {
    constexpr std::uint64_t kTriesForEach = 200;
    const auto wanted = static_cast<std::uint64_t>(sweep_.samples_);
    for (std::uint64_t draw = 0; draw < kTriesForEach * wanted && points_.size() < wanted; ++draw) {
      Settings settings;
      for (const std::size_t index : order_) {
        const Axis& axis = sweep_.axes_[index];
        if (!axis.when || holds(*axis.when, settings))
          settings.push_back({axis.key, drawn(axis, drawn_unit(sweep_.seed_, draw, index))});
      }
      add(std::move(settings));
    }
  }

  Sweep& sweep_;
  const Value& document_;
  std::int64_t most_;
  std::string_view limit_text_;
  std::vector<std::size_t> order_;
  std::vector<Settings> points_;
  std::set<std::string> seen_;
};

/// A condition on losses looks at each of them, not at the list that a point without such an axis has.
void Sweep::split_lists(const Value& document) {
  if (mode_ != "grid" && mode_ != "list") return;
  std::set<std::string> named;
  const auto name = [&](const Condition& condition) {
    for (const std::string& key : condition.keys()) named.insert(axis_path(key, condition.where()));
  };
  for (const Axis& axis : axes_) {
    if (axis.when) name(*axis.when);
  }
  for (const Exclusion& exclusion : exclusions_) {
    if (exclusion.when) name(*exclusion.when);
    for (const Setting& setting : exclusion.all) named.insert(setting.key);
  }
  for (const char* key : {"benchmarks", "losses", "models", "postprocessors"}) {
    const Value* value = find_value(document, {key});
    const bool varied =
        std::any_of(axes_.begin(), axes_.end(), [&](const Axis& axis) { return axis.key == key; }) ||
        std::any_of(listed_.begin(), listed_.end(), [&](const Settings& point) {
          return std::any_of(point.begin(), point.end(), [&](const Setting& setting) { return setting.key == key; });
        });
    if (!named.contains(key) || varied || value == nullptr || value->list() == nullptr || value->list()->size() < 2)
      continue;
    Axis axis;
    axis.key = key;
    axis.values = *value->list();
    axis.where = value->where;
    axes_.push_back(std::move(axis));
  }
  std::sort(axes_.begin(), axes_.end(), [](const Axis& a, const Axis& b) { return a.key < b.key; });
}

std::vector<Settings> Sweep::points(const Value& document, std::int64_t most, std::string_view limit_text) {
  excluded_.clear();
  split_lists(document);
  return Expansion(*this, document, most, limit_text).run();
}

}  // namespace nearfar
