#include "work/changes.h"

#include "base/text.h"
#include "host/params.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <tuple>
#include <unordered_set>

namespace nearfar {
namespace {
using nlohmann::json;

constexpr std::size_t kMostDifferences = 4;        // more are no change of a cell but another cell
constexpr std::int64_t kMostComparisons = 20'000;  // of a plan: they take half a second

/// What makes a cell what it is, of this plan or the former one.
struct Side {
  const std::string& identity;
  const std::vector<Factor>& factors;
};

/// What differs, in the order of its text.
struct Differences {
  std::vector<std::string> config = {}, plugin = {}, images = {};
  bool model = false;
  std::size_t count() const { return config.size() + plugin.size() + images.size() + (model ? 1 : 0); }

  std::string text() const {
    std::vector<std::string> parts;
    if (model) parts.emplace_back("its model changed");
    if (!config.empty()) parts.push_back("config changed: " + join(config, ", "));
    if (!plugin.empty()) parts.push_back("plugin changed: " + join(plugin, ", "));
    if (!images.empty()) parts.push_back("images changed: " + join(images, ", "));
    return join(parts, "; ");
  }
};

std::string shown(const json& value) {
  return value.is_string() ? value.get<std::string>() : value.is_null() ? "none" : value.dump();
}

void compare_factors(const Side& before, const Side& now, Differences& found) {
  std::map<std::string_view, std::pair<const Factor*, const Factor*>> both;
  for (const Factor& factor : before.factors) both[factor.name].first = &factor;
  for (const Factor& factor : now.factors) both[factor.name].second = &factor;
  for (const auto& [name, pair] : both) {
    const auto& [was, is] = pair;
    if (was != nullptr && is != nullptr && was->value == is->value) continue;
    // A setting that one of the versions does not have yet, at its default, is no difference.
    if ((was == nullptr && is->is_default) || (is == nullptr && was->is_default)) continue;
    const auto text = [](const Factor* factor) { return factor == nullptr ? "none" : param_text(factor->value); };
    found.config.push_back(fmt::format("{} {} → {}", name, text(was), text(is)));
  }
}

/// A plugin's part of an identity: its name, version and the hash of its sources.
void compare_plugins(const json& before, const json& now, Differences& found) {
  const auto field = [](const json& of, const char* name) {
    return shown(of.is_object() ? of.value(name, json()) : json());
  };
  const std::string name = field(now, "name"), was = field(before, "version"), is = field(now, "version");
  if (field(before, "name") != name) return;  // a factor
  if (was != is) {
    found.plugin.push_back(fmt::format("{} {} → {}", name, was, is));
  } else if (field(before, "source") != field(now, "source")) {
    found.plugin.push_back(fmt::format("{} {} of other sources", name, is));
  }
}

/// Everything that no factor tells, part by part: numerics, images, plugins, whatever comes.
void compare_identities(const json& before, const json& now, Differences& found) {
  const auto part = [](const json& of, const std::string& name) { return of.value(name, json()); };
  std::set<std::string> names;
  for (const json* side : {&before, &now}) {
    for (const auto& [name, value] : side->items()) names.insert(name);
  }
  for (const std::string& name : names) {
    const json was = part(before, name), is = part(now, name);
    if (was == is || name == "recipe" || name == "seed" || name == "kind") continue;
    if (name == "model") {
      found.model = true;
    } else if (name == "loss" || name == "postprocessor") {
      const bool eval = name == "postprocessor";
      compare_plugins(eval && was.is_object() ? part(was, "plugin") : was,
                      eval && is.is_object() ? part(is, "plugin") : is, found);
    } else if (name == "images") {
      const json flat_was = was.flatten(), flat_is = is.flatten();
      for (const auto& [path, value] : flat_is.items()) {
        if (flat_was.value(path, json()) == value) continue;
        const std::string what = json::json_pointer(path).back();
        found.images.push_back(what == "hash" ? "their content" : path.starts_with("/sets/") ? what : "their " + what);
      }
      if (flat_was.size() > flat_is.size()) found.images.emplace_back("fewer sets");
    } else if (was.is_structured() || is.is_structured()) {
      found.config.push_back(name);
    } else {
      found.config.push_back(fmt::format("{} {} → {}", name, shown(was), shown(is)));
    }
  }
}

Differences differences(const Side& before, const Side& now) {
  Differences found;
  compare_factors(before, now, found);
  const json was = json::parse(before.identity, nullptr, false), is = json::parse(now.identity, nullptr, false);
  if (was.is_object() && is.is_object()) compare_identities(was, is, found);
  return found;
}

class Changes {
 public:
  Changes(Plan& plan, const std::vector<FormerCell>& former) : plan_(plan), former_(former) {
    std::unordered_set<std::string_view> kept;
    visit([&](const Cell& cell) { kept.insert(cell.key); });
    for (const FormerCell& one : former) {
      if (kept.contains(one.key)) continue;
      const bool train = one.kind == CellKind::train;
      gone_[{one.kind, train ? std::to_string(one.seed) : one.model_key,
             train                            ? one.training
             : one.kind == CellKind::features ? one.image_set
                                              : one.postprocessor}]
          .push_back(&one);
    }
  }

  void tell() {
    if (gone_.empty()) return;
    for (TrainCell& train : plan_.trains) {
      const ModelPlan& model = plan_.models[train.model];
      const FormerCell* before =
          told(train.cell, train.model, {CellKind::train, std::to_string(model.seed), model.training}, model.factors);
      if (before != nullptr) former_model_[train.model] = before->model_key;
    }
    static const std::vector<Factor> kNone;
    for (FeaturesCell& features : plan_.features)
      told(features.cell, features.model, {CellKind::features, model_before(features.model), features.set}, kNone);
    for (AccuracyCell& accuracy : plan_.accuracies)
      told(accuracy.cell, accuracy.model, {CellKind::accuracy, model_before(accuracy.model), ""}, kNone);
    for (EvalCell& eval : plan_.evals) {
      const PostprocessorPlan& with = plan_.postprocessors[eval.postprocessor];
      if (!eval.applicable) continue;
      told(eval.cell, eval.model, {CellKind::eval, model_before(eval.model), plan_.plugin_of(with).name}, with.factors);
    }
  }

 private:
  using What = std::tuple<CellKind, std::string, std::string>;  // of a train cell its seed, else the model; the rest

  template <class Visit>
  void visit(const Visit& call) const {
    for (const TrainCell& one : plan_.trains) call(one.cell);
    for (const FeaturesCell& one : plan_.features) call(one.cell);
    for (const AccuracyCell& one : plan_.accuracies) call(one.cell);
    for (const EvalCell& one : plan_.evals) call(one.cell);
  }

  const std::string& model_before(std::size_t model) const {
    const auto changed = former_model_.find(model);
    return changed != former_model_.end() ? changed->second : plan_.models[model].key;
  }

  /// The former cell that the cell is a change of; its reason says so.
  const FormerCell* told(Cell& cell, std::size_t model, const What& what, const std::vector<Factor>& factors) {
    const auto candidates = gone_.find(what);
    if (!cell.will_run || cell.reason != "new" || candidates == gone_.end()) return nullptr;
    const FormerCell* nearest = nullptr;
    std::optional<Differences> least;
    for (const FormerCell* one : candidates->second) {
      // Of most cells, and quick to see: a key is 64 digits of a hash, so it is nowhere by chance.
      if (one->kind != CellKind::train &&
          replace_all(one->identity_json, one->model_key, plan_.models[model].key) == cell.identity) {
        cell.reason = "its model changed";
        return one;
      }
      if (++comparisons_ > kMostComparisons) return nullptr;
      Differences found = differences({one->identity_json, one->factors}, {cell.identity, factors});
      if (least && least->count() <= found.count()) continue;
      nearest = one;
      least = std::move(found);
    }
    if (least->count() == 0 || least->count() > kMostDifferences) return nullptr;
    cell.reason = least->text();
    return nearest;
  }

  Plan& plan_;
  const std::vector<FormerCell>& former_;
  std::map<What, std::vector<const FormerCell*>> gone_;
  std::map<std::size_t, std::string> former_model_;
  std::int64_t comparisons_ = 0;
};

}  // namespace

bool has_new(const Plan& plan) {
  const auto any = [](const auto& cells) {
    return std::any_of(cells.begin(), cells.end(),
                       [](const auto& one) { return one.cell.will_run && one.cell.reason == "new"; });
  };
  return any(plan.trains) || any(plan.features) || any(plan.accuracies) || any(plan.evals);
}

void tell_changes(Plan& plan, const std::vector<FormerCell>& former) { Changes(plan, former).tell(); }

}  // namespace nearfar
