#include "config/halving.h"

#include "base/hash.h"
#include "base/text.h"
#include "config/document.h"
#include "config/experiment.h"
#include "config/overrides.h"
#include "config/profile.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

namespace nearfar {
namespace {

constexpr const char* kEpochs = "train.epochs";

Value value_of(std::variant<bool, std::int64_t, double, std::string> data) {
  Value value;
  std::visit([&](auto& held) { value.data = std::move(held); }, data);
  return value;
}

/// As typed, so that messages about the point still name its files.
Point point_for(Point point, const Experiment& whole, const RoundChoice& choice) {
  Experiment& experiment = point.experiment;
  if (!choice.round.empty() && choice.epochs != experiment.train.epochs) {
    // In the place where a stored experiment, whose tables are sorted, has it.
    const auto at = std::find_if(point.settings.begin(), point.settings.end(),
                                 [](const Factor& factor) { return factor.name > kEpochs; });
    point.settings.insert(at, {kEpochs, choice.epochs});
  }
  experiment.train.epochs = choice.epochs;
  for (LossChoice& loss : experiment.losses) loss.recipe.epochs = choice.epochs;
  if (!choice.round.empty()) experiment.evaluate = false;
  if (whole.halving->by == kByOodVal) experiment.ood_val = true;
  return point;
}

/// [sweep.resolved] of these points alone, with these epochs.
std::string composed_for(const Experiment& whole, const RoundChoice& choice) {
  Value document = parse_toml(whole.composed, "the composed experiment");
  Value::Table& sweep = *document.table()->at("sweep").table();
  Value::List points;
  for (const std::size_t index : choice.points) {
    Value point = std::get<Value::List>(sweep.at("resolved").data).at(index);
    if (choice.epochs != whole.points[index].experiment.train.epochs) {
      set_key(point, {"set", "train", "epochs"}, value_of(choice.epochs), "");
      if (!choice.round.empty())
        point.table()->at("settings").table()->insert_or_assign(kEpochs, value_of(choice.epochs));
    }
    points.push_back(std::move(point));
  }
  sweep.at("resolved").data = std::move(points);
  sweep.erase("halving");
  if (!choice.round.empty()) {
    sweep.insert_or_assign("round", value_of(choice.round));
    set_key(document, {"run", "evaluate"}, value_of(false), "");
  }
  if (whole.halving->by == kByOodVal) set_key(document, {"run", "ood_val"}, value_of(true), "");
  return toml_text(document);
}

}  // namespace

Halving read_halving(const Value& table) {
  constexpr double kLeast = 0.01, kMost = 0.9;  // outside, there is one round, or a hundred
  Section section(&table, "[sweep.halving]");
  Halving halving;
  halving.where = table.where;
  if (!section.read("first_epochs", halving.first_epochs, 1))
    fail_at(halving.where, "[sweep.halving] wants first_epochs = N, the epochs of its first round");
  section.read("keep", halving.keep, kLeast, kMost);
  section.read("by", halving.by, {kByAccuracy, kByOodVal});
  section.finish();
  return halving;
}

Value halving_table(const Halving& halving) {
  Value table;
  table.table()->emplace("first_epochs", value_of(halving.first_epochs));
  table.table()->emplace("keep", value_of(halving.keep));
  if (!halving.by.empty()) table.table()->emplace("by", value_of(halving.by));
  return table;
}

void check_trial(const Halving& halving, const Experiment& point, const Value& document, std::int64_t epochs) {
  if (point.losses.empty()) {
    fail_at(halving.where,
            "[sweep.halving] is a search of trainings, and a point of this sweep trains nothing: name a loss, like "
            "losses = [\"ce\"]");
  }
  for (const LossChoice& loss : point.losses) {
    const Value* own = find_value(document, {"loss", loss.name, "train", "epochs"});
    if (own == nullptr) continue;
    fail_at(own->where, fmt::format("with [sweep.halving] all trainings of a round have the same epochs, and "
                                    "[loss.{}.train] sets its own; leave train.epochs alone to set them",
                                    loss.name));
  }
  const Value* set = find_value(document, {"train", "epochs"});
  const std::string& where = set == nullptr || set->where.empty() ? halving.where : set->where;
  if (point.train.epochs != epochs) {
    fail_at(where, fmt::format("with [sweep.halving] all points have the same train.epochs; here are points with {} "
                               "and with {}: set it once for all, in the experiment",
                               epochs, point.train.epochs));
  }
  if (halving.first_epochs >= epochs) {
    fail_at(halving.where, fmt::format("'first_epochs' in [sweep.halving] is {}, and the last round has train.epochs = "
                                       "{}; expected less",
                                       halving.first_epochs, epochs));
  }
}

std::string halving_axis_problem(const std::string& key) {
  if (key == kEpochs || (key.starts_with("loss.") && key.ends_with(".train.epochs")))
    return "the rounds of [sweep.halving] set the epochs";
  if (key == "postprocessors" || key == "tune" || key.starts_with("postprocessor."))
    return "[sweep.halving] searches trainings, and it changes none; search it with tune = {…}, or in a sweep of the "
           "winner";
  if (key == "benchmarks") return "values on different images cannot be compared; search on each by itself";
  return "";
}

std::vector<HalvingRound> halving_rounds(const Halving& halving, std::int64_t trials, std::int64_t epochs) {
  const double growth = static_cast<double>(epochs) / static_cast<double>(halving.first_epochs);
  const std::int64_t steps = std::max(1LL, std::llround(std::log(growth) / -std::log(halving.keep)));
  std::vector<HalvingRound> rounds;
  for (std::int64_t i = 0; i <= steps; ++i) {
    const std::int64_t now = std::llround(static_cast<double>(halving.first_epochs) *
                                          std::pow(growth, static_cast<double>(i) / static_cast<double>(steps)));
    if (rounds.empty()) {
      rounds.push_back({trials, now});
    } else if (rounds.back().trials > 1 && now > rounds.back().epochs) {
      const std::int64_t kept = std::llround(halving.keep * static_cast<double>(rounds.back().trials));
      rounds.push_back({std::max<std::int64_t>(1, kept), now});
    }
  }
  if (rounds.back().trials == 1) {
    if (rounds.size() == 1) return {{1, epochs}};
    rounds.back().epochs = epochs;
  }
  return rounds;
}

std::vector<std::size_t> survivors(const std::vector<std::optional<double>>& values, std::int64_t most) {
  std::vector<std::size_t> order(values.size());
  std::iota(order.begin(), order.end(), 0);
  std::erase_if(order, [&](std::size_t i) { return !values[i] || std::isnan(*values[i]); });
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return *values[a] > *values[b]; });
  order.resize(std::min(order.size(), static_cast<std::size_t>(most)));
  return order;
}

Experiment round_experiment(const Experiment& whole, const RoundChoice& choice) {
  std::vector<Point> points;
  for (const std::size_t index : choice.points) points.push_back(point_for(whole.points.at(index), whole, choice));
  Experiment experiment = points.front().experiment;
  experiment.initial = whole.initial;
  experiment.points = std::move(points);
  experiment.sweep = whole.sweep;
  experiment.round = choice.round;
  experiment.excluded = whole.excluded;
  experiment.canonical = canonical_text(experiment);
  experiment.hash = sha256(experiment.canonical);
  experiment.composed = composed_for(whole, choice);
  experiment.profile = whole.profile;
  return experiment;
}

}  // namespace nearfar
