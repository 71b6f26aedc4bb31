#include "cli/verbs.h"
#include "config/experiment.h"
#include "config/explain.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace nearfar {
namespace {

using nlohmann::json;

int show(const Experiment& experiment, bool as_json) {
  if (as_json) {
    fmt::print("{}\n", json{{"experiment", experiment.name},
                            {"config_hash", experiment.hash},
                            {"points", std::max<std::size_t>(1, experiment.points.size())},
                            {"composed", experiment.composed},
                            {"paths", experiment.profile}}
                           .dump(2));
  } else {
    fmt::print("{}\n# What belongs to this machine:\n{}", experiment.composed, experiment.profile);
  }
  return 0;
}

/// "; rounds of halving: 27 x 4 epochs, 9 x 12, …"
std::string rounds_of(const Experiment& experiment) {
  if (!experiment.halving) return "";
  std::vector<std::string> rounds;
  const auto points = static_cast<std::int64_t>(experiment.points.size());
  for (const HalvingRound& round : halving_rounds(*experiment.halving, points, experiment.train.epochs))
    rounds.push_back(fmt::format("{} x {}{}", round.trials, round.epochs, rounds.empty() ? " epochs" : ""));
  return fmt::format("; rounds of halving: {}", fmt::join(rounds, ", "));
}

int check(const Experiment& experiment, bool as_json) {
  const std::size_t points = experiment.points.size();
  if (as_json) {
    fmt::print(
        "{}\n",
        json{{"experiment", experiment.name}, {"ok", true}, {"points", std::max<std::size_t>(1, points)}}.dump());
  } else {
    fmt::print(
        "{}: every key, type and range is right{}{}; names and parameters of plugins are checked by nearfar plan\n",
        experiment.name, points == 0 ? "" : fmt::format("; {} points", points), rounds_of(experiment));
  }
  return 0;
}

int explain_key(const ConfigArguments& arguments) {
  const Explanation found = explain(arguments.files, arguments.overrides, arguments.key);
  if (arguments.json) {
    json origins = json::array();
    for (const Origin& origin : found.origins) origins.push_back({{"where", origin.where}, {"value", origin.value}});
    fmt::print(
        "{}\n",
        json{{"key", found.key}, {"origins", origins}, {"default", found.default_text}, {"axis", found.axis}}.dump(2));
    return 0;
  }
  for (std::size_t i = found.origins.size(); i-- > 0;) {
    const Origin& origin = found.origins[i];
    const bool holds = i + 1 == found.origins.size();
    fmt::print("{} = {}  {}{}\n", found.key, origin.value, origin.where, holds ? "" : "  (replaced)");
  }
  if (found.origins.empty() && !found.default_text.empty())
    fmt::print("{} = {}  the default: nothing sets it\n", found.key, found.default_text);
  if (!found.axis.empty()) fmt::print("{} is an axis of the sweep: {}\n", found.key, fmt::join(found.axis, ", "));
  return 0;
}

}  // namespace

int config_verb(const ConfigArguments& arguments) {
  if (arguments.action == "explain") return explain_key(arguments);
  const Experiment experiment =
      load_experiment(arguments.files, arguments.overrides, arguments.max_cells > 0 ? arguments.max_cells : kMaxCells);
  return arguments.action == "show" ? show(experiment, arguments.json) : check(experiment, arguments.json);
}

}  // namespace nearfar
