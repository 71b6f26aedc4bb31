#include "config/sweep.h"

#include "base/text.h"
#include "config/overrides.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <functional>

namespace nearfar {
namespace {

bool describes_axis(const Value& value) {
  const Value::Table* table = value.table();
  if (table == nullptr) return true;
  return std::any_of(table->begin(), table->end(), [](const auto& entry) {
    return entry.first == "values" || entry.first == "range" || entry.first == "between";
  });
}

/// `"train.lr" = …` and `train.lr = …` are the same.
void flatten(const Value& table, const std::string& prefix, const std::function<bool(const Value&)>& is_leaf,
             std::vector<std::pair<std::string, const Value*>>& into) {
  for (const auto& [key, value] : *table.table()) {
    const std::string name = prefix.empty() ? key : prefix + "." + key;
    if (is_leaf(value)) {
      into.emplace_back(name, &value);
    } else {
      flatten(value, name, is_leaf, into);
    }
  }
}

bool is_no_table(const Value& value) { return value.table() == nullptr; }

std::string checked_key(const std::string& key, const std::string& where) {
  const std::string path = axis_path(key, where);
  if (const std::string problem = axis_problem(path); !problem.empty())
    fail_at(where, fmt::format("'{}' cannot be an axis of a sweep: {}", key, problem));
  return path;
}

Settings read_settings(const Value& table) {
  std::vector<std::pair<std::string, const Value*>> found;
  flatten(table, "", is_no_table, found);
  for (auto& [key, value] : found) key = checked_key(key, value->key_where);
  std::stable_sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  Settings settings;
  for (const auto& [key, value] : found) settings.push_back({key, *value});
  for (std::size_t i = 1; i < settings.size(); ++i) {
    if (settings[i].key == settings[i - 1].key)
      fail_at(settings[i].value.where, fmt::format("'{}' is set twice in one point", settings[i].key));
  }
  return settings;
}

}  // namespace

std::string axis_path(const std::string& key, const std::string& where) {
  const std::string path = join(key_path(key, where), ".");
  return path == "model.name" ? "models" : path;
}

std::string axis_problem(std::string_view key) {
  static constexpr std::array kTops = {"benchmarks", "models", "losses", "postprocessors", "recipe",
                                       "tune",       "train",  "loss",   "postprocessor"};
  const std::string top(key.substr(0, key.find('.')));
  if (std::find(kTops.begin(), kTops.end(), top) != kTops.end()) return "";
  if (top == "sweep" || top == "seeds") return "seeds are replicates: they are averaged, never compared";
  if (top == "data" || top == "out" || top == "device" || top == "run" || top == "name" || top == "dtype")
    return "it belongs to the whole experiment";
  if (top == "protocols") return "every cell is measured under all protocols";
  if (top == "model") return "models made elsewhere are listed, as [[model]]";
  const std::vector<std::string> known{"benchmark", "model.name", "losses",     "postprocessors",     "recipe",
                                       "tune",      "train.",     "loss.NAME.", "postprocessor.NAME."};
  return fmt::format("there is no such key{}; axes are {}", suggestion(std::string(key), known), join(known, ", "));
}

std::string settings_text(const Settings& settings) {
  std::vector<std::string> parts;
  for (const Setting& setting : settings) parts.push_back(setting.key + "=" + value_text(setting.value));
  return join(parts, ";");
}

void apply_setting(Value& document, const Setting& setting) {
  if (setting.key == "recipe") return;
  const Value& value = setting.value;
  set_key(document, split(setting.key, '.'), value, value.where);
}

std::optional<Sweep> Sweep::take(Value& document) {
  const auto found = document.table()->find("sweep");
  if (found == document.table()->end()) return std::nullopt;
  Section section(&found->second, "[sweep]");
  Sweep sweep;
  sweep.where_ = found->second.where;
  section.read("mode", sweep.mode_, {"grid", "ablation", "zip", "random", "list"});
  const bool sampled = section.read("samples", sweep.samples_, 1, 1'000'000),
             seeded = section.read("seed", sweep.seed_, 0);
  if ((sampled || seeded) && sweep.mode_ != "random")
    fail_at(section.where(sampled ? "samples" : "seed"), "'samples' and 'seed' in [sweep] are for mode = \"random\"");
  if (const Value* axes = section.find_table("axes")) sweep.read_axes(*axes);
  if (const Value* points = section.find("points")) sweep.read_points(*points);
  if (const Value* exclude = section.find("exclude")) sweep.read_exclusions(*exclude);
  if (const Value* halving = section.find_table("halving")) sweep.halving_ = read_halving(*halving);
  const Value* replicates = section.find_table("replicates");
  section.finish();
  const bool is_one = section.find("mode") != nullptr || !sweep.axes_.empty() || !sweep.listed_.empty();
  if (sweep.where_.empty() && !sweep.axes_.empty()) sweep.where_ = sweep.axes_[0].where;  // a command line's
  if (is_one) sweep.check_shape(section.where("mode"));
  if (is_one && sweep.halving_) sweep.check_halving();
  if (!is_one && !sweep.exclusions_.empty())
    fail_at(sweep.exclusions_[0].where, "[[sweep.exclude]] without axes: there is nothing to leave out");
  if (!is_one && sweep.halving_)
    fail_at(sweep.halving_->where, "[sweep.halving] without axes: there is nothing to choose from");
  Value kept{.data = Value::Table{}, .where = found->second.where, .key_where = found->second.key_where, .raw = {}};
  if (replicates != nullptr) kept.table()->emplace("replicates", *replicates);
  found->second = std::move(kept);
  if (!is_one) return std::nullopt;
  return sweep;
}

void Sweep::read_axes(const Value& table) {
  std::vector<std::pair<std::string, const Value*>> found;
  flatten(table, "", describes_axis, found);
  for (const auto& [name, value] : found) {
    Axis axis;
    axis.key = checked_key(name, value->key_where);
    static_cast<AxisValues&>(axis) = read_axis(*value, name, &axis.when);
    const auto same = [&](const Axis& other) { return other.key == axis.key; };
    if (const auto twice = std::find_if(axes_.begin(), axes_.end(), same); twice != axes_.end())
      fail_at(value->key_where, fmt::format("the axis '{}' is set twice: here and at {}", name, twice->where));
    axes_.push_back(std::move(axis));
  }
  std::sort(axes_.begin(), axes_.end(), [](const Axis& a, const Axis& b) { return a.key < b.key; });
}

void Sweep::read_points(const Value& list) {
  const bool tables = list.list() != nullptr && std::none_of(list.list()->begin(), list.list()->end(), is_no_table);
  if (!tables) fail_at(list.where, "'points' in [sweep] are tables: [[sweep.points]] with keys and values");
  for (const Value& point : *list.list()) listed_.push_back(read_settings(point));
}

void Sweep::read_exclusions(const Value& list) {
  const bool tables = list.list() != nullptr && std::none_of(list.list()->begin(), list.list()->end(), is_no_table);
  if (!tables) fail_at(list.where, "'exclude' in [sweep] are tables: [[sweep.exclude]] with keys and values");
  for (Value entry : *list.list()) {
    Exclusion exclusion{.where = entry.where};
    const auto when = entry.table()->find("when");
    if (when != entry.table()->end()) {
      const auto* text = std::get_if<std::string>(&when->second.data);
      if (text == nullptr) fail_at(when->second.where, "'when' in [[sweep.exclude]] is a condition, in quotes");
      exclusion.when.emplace(*text, when->second.where);
      entry.table()->erase(when);
    }
    exclusion.all = read_settings(entry);
    if (exclusion.all.empty() && !exclusion.when)
      fail_at(entry.where, "this [[sweep.exclude]] is empty; it would leave everything out");
    exclusions_.push_back(std::move(exclusion));
  }
}

void Sweep::check_shape(const std::string& mode_where) {
  const std::string where = mode_where.empty() ? where_ : mode_where;
  if (mode_ == "list" && listed_.empty())
    fail_at(where, "mode = \"list\" wants points: [[sweep.points]] with keys and values");
  if (mode_ != "list" && !listed_.empty())
    fail_at(where, fmt::format("[[sweep.points]] are for mode = \"list\", and the mode is {}", mode_));
  if (mode_ != "list" && axes_.empty()) fail_at(where, fmt::format("mode = \"{}\" wants [sweep.axes]", mode_));
  if (mode_ == "random" && samples_ == 0) fail_at(where, "mode = \"random\" wants samples = N");
  for (const Axis& axis : axes_) {
    if (axis.between && mode_ != "random")
      fail_at(axis.where,
              fmt::format("'between' of the axis '{}' is for mode = \"random\"; here use range and step", axis.key));
    if (mode_ == "zip" && axis.values.size() != axes_[0].values.size())
      fail_at(axis.where, fmt::format("mode = \"zip\" takes axes of one length: '{}' has {} values, '{}' has {}",
                                      axes_[0].key, axes_[0].values.size(), axis.key, axis.values.size()));
    for (const Settings& point : listed_) {
      for (const Setting& setting : point) {
        if (setting.key == axis.key)
          fail_at(axis.where, fmt::format("'{}' is an axis, and set by a point at {}", axis.key, setting.value.where));
      }
    }
  }
}

void Sweep::check_halving() const {
  const auto check = [](const std::string& key, const std::string& where) {
    if (const std::string problem = halving_axis_problem(key); !problem.empty())
      fail_at(where, fmt::format("'{}' cannot be an axis here: {}", key, problem));
  };
  for (const Axis& axis : axes_) check(axis.key, axis.where);
  for (const Settings& point : listed_) {
    for (const Setting& setting : point) check(setting.key, setting.value.where);
  }
}

}  // namespace nearfar
