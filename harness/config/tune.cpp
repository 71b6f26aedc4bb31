#include "config/tune.h"

#include "config/axis.h"
#include "config/document.h"
#include "config/params_json.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <string_view>

namespace nearfar {
namespace {
using nlohmann::json;

constexpr std::int64_t kMostTrials = 10'000;  // they are listed in every cell that is searched with them

std::optional<TuneChoice::Mode> mode_of(const Value& value) {
  const auto* word = std::get_if<std::string>(&value.data);
  if (word == nullptr || (*word != "openood" && *word != "none")) return std::nullopt;
  return *word == "none" ? TuneChoice::Mode::none : TuneChoice::Mode::openood;
}

[[noreturn]] void refuse(const Value& value, const std::string& title, std::string_view expected) {
  const auto* word = std::get_if<std::string>(&value.data);
  fail_at(value.where, fmt::format("'tune' in {} is {}; expected {}", title,
                                   word != nullptr ? "'" + *word + "'" : type_name(value), expected));
}

ParamValue scalar(const Value& value, const std::string& title) {
  return std::visit(
      [&](const auto& held) -> ParamValue {
        using T = std::decay_t<decltype(held)>;
        if constexpr (std::is_same_v<T, Value::List> || std::is_same_v<T, Value::Table>) {
          fail_at(value.where,
                  fmt::format("{}: expected a boolean, a number or text, found {}", title, type_name(value)));
        } else {
          return held;
        }
      },
      value.data);
}

TuneAxis axis_of(const std::string& name, const Value& value, bool drawn, const std::string& title) {
  if (value.list() != nullptr && value.list()->empty())
    fail_at(value.where, fmt::format("'{}' in the grid of {} has no values", name, title));
  const AxisValues read = read_axis(value, name);
  if (read.between && !drawn) {
    fail_at(read.where, fmt::format("'between' of the axis '{}' in {} is for points drawn at random: add search = {{ "
                                    "trials = N }} beside tune, or write values, or range = [FIRST, LAST] with step",
                                    name, title));
  }
  TuneAxis axis{.between = read.between, .logarithmic = read.logarithmic, .ranged = read.ranged, .where = read.where};
  for (const Value& one : read.values) axis.values.push_back(scalar(one, title));
  return axis;
}

/// tune = ["k", "alpha"].
void read_declared(const Value& list, bool drawn, const std::string& title, TuneChoice& tune) {
  for (const Value& one : *list.list()) {
    const auto* name = std::get_if<std::string>(&one.data);
    if (name == nullptr || !drawn)
      refuse(list, title,
             "a grid like { k = [5, 50] }; names of parameters, as in tune = [\"k\"], go with search = { trials = N }");
    if (!tune.axes.emplace(*name, TuneAxis{.where = one.where}).second)
      fail_at(one.where, fmt::format("'{}' stands twice in the tune of {}", *name, title));
  }
}

RandomSearch read_search(const Value& value, const std::string& title) {
  RandomSearch search{.where = value.where};
  const std::string own = title.substr(0, title.size() - 1) + ".search]";  // of "[postprocessor.knn]"
  Section section(&value, own);
  const bool has_trials = section.read("trials", search.trials, 1, kMostTrials);
  section.read("seed", search.seed, 0);
  section.finish();
  if (!has_trials) fail_at(value.where, fmt::format("{} wants trials = N: how many points are drawn", own));
  return search;
}

json axis_identity(const TuneAxis& axis) {
  if (axis.between) {
    json bounds{{"between", {param_identity(axis.between->first), param_identity(axis.between->second)}}};
    if (axis.logarithmic) bounds["log"] = true;
    return bounds;
  }
  if (axis.values.empty()) return "declared";
  json values = json::array();
  for (const ParamValue& value : axis.values) values.push_back(param_identity(value));
  return values;
}

}  // namespace

TuneChoice read_general_tune(const Value& value) {
  const std::optional<TuneChoice::Mode> mode = mode_of(value);
  if (!mode) refuse(value, "the top level", "\"openood\", \"none\"");
  return {.mode = *mode, .where = value.where};
}

TuneChoice read_tune(const Value* tune, const Value* search, const TuneChoice& general, const std::string& title) {
  TuneChoice choice = general;
  if (tune != nullptr) {
    choice = {.where = tune->where};
    if (const auto mode = mode_of(*tune)) {
      choice.mode = *mode;
    } else if (tune->table() != nullptr && !tune->table()->empty()) {
      choice.mode = TuneChoice::Mode::grid;
      for (const auto& [name, value] : *tune->table())
        choice.axes.emplace(name, axis_of(name, value, search != nullptr, title));
    } else if (tune->list() != nullptr && !tune->list()->empty()) {
      choice.mode = TuneChoice::Mode::grid;
      read_declared(*tune, search != nullptr, title, choice);
    } else {
      refuse(*tune, title, "\"openood\", \"none\" or a grid like { k = [5, 50] }");
    }
  }
  if (search != nullptr) choice.search = read_search(*search, title);
  return choice;
}

json tune_identity(const TuneChoice& tune) {
  json all = json::object();
  for (const auto& [name, axis] : tune.axes) all[name] = axis_identity(axis);
  if (tune.mode == TuneChoice::Mode::openood) all = "openood";
  if (!tune.search) return all;
  return {{"of", all}, {"trials", tune.search->trials}, {"seed", tune.search->seed}};
}

}  // namespace nearfar
