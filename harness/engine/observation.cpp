#include "engine/observation.h"

#include "base/error.h"

#include <fmt/format.h>

#include <algorithm>

namespace nearfar {

GroupCell::GroupCell(const nlohmann::json& job_cell, LoadedPlugin loaded)
    : job(job_cell),
      plugin(std::move(loaded)),
      fixed(params_of(job_cell)),
      grid(grid_from_text(plugin.params(), job_cell.at("grid").get<std::string>(), plugin.label())),
      params(fixed),
      chosen(grid.empty()) {}

/// One observing cell with one choice of parameters.
struct Observation::Point {
  GroupCell& cell;
  PostprocessorHandle handle;
  bool fitted = false;
  double seconds_fit = 0;
  bool refused = false;  ///< the plugin cannot take these parameters here: a search says so, a cell fails

  const ParamMap& params() const { return handle.params().values(); }
  bool is_chosen() const { return cell.chosen && canonical_params(params()) == canonical_params(cell.params); }
  bool needs(Need need) const { return (handle.needs() & need) != 0; }
};

Observation::Observation(ModelFeatures& features, std::vector<PlannedSet> fit_sets, std::vector<PlannedSet> score_sets,
                         std::vector<GroupCell>& cells, Calls calls)
    : features_(features),
      fit_sets_(std::move(fit_sets)),
      score_sets_(std::move(score_sets)),
      cells_(cells),
      calls_(std::move(calls)) {
  // What is fitted on the train images looks at the validation images afterwards.
  const auto order = [](const PlannedSet& set) { return set.name == "train" ? 0 : set.name == "val" ? 1 : 2; };
  std::stable_sort(fit_sets_.begin(), fit_sets_.end(),
                   [&](const auto& a, const auto& b) { return order(a) < order(b); });
}

Observation::~Observation() = default;

void Observation::guarded(GroupCell& cell, const std::function<void()>& body) {
  if (cell.failed) return;
  try {
    body();
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::interrupted) throw;
    cell.failed = true;
    calls_.failed(cell, std::current_exception());
  } catch (const std::exception&) {
    cell.failed = true;
    calls_.failed(cell, std::current_exception());
  }
}

void Observation::make_points() {
  for (GroupCell& cell : cells_) {
    if (!cell.observing()) continue;
    guarded(cell, [&] {
      calls_.begin(&cell);
      for (std::size_t i = 0; i < std::max<std::size_t>(1, cell.grid.size()); ++i) {
        ParamMap params = cell.fixed;
        if (!cell.grid.empty()) params.merge(cell.grid.point(i));
        points_.push_back(
            std::make_unique<Point>(Point{cell, PostprocessorHandle(cell.plugin, params, cell.plugin.label())}));
      }
    });
  }
  calls_.begin(nullptr);
}

std::string Observation::key(const GroupCell& cell, const ParamMap& params, bool fitted) const {
  const PluginDescription& plugin = cell.plugin.description();
  ParamMap those;
  for (const auto& [name, value] : params) {
    const bool observed =
        std::find(plugin.observed_params.begin(), plugin.observed_params.end(), name) != plugin.observed_params.end();
    if (fitted || observed) those.emplace(name, value);
  }
  std::string text = fmt::format("{} {} {} {}", plugin.name, plugin.source_hash, fitted ? "observe_fitted" : "observe",
                                 canonical_params(those));
  if (!fitted) return text;
  for (const PlannedSet& set : fit_sets_) {
    const bool looked_at = (set.name == "train" && (cell.plugin.needs() & kTrain) != 0) ||
                           (set.name == "val" && (cell.plugin.needs() & kValidation) != 0);
    if (looked_at) text += fmt::format(" {}={}", set.name, set.hash);
  }
  return text;
}

Columns Observation::columns(const GroupCell& cell, const ParamMap& params) const {
  return [this, &cell, params](const std::string& set, bool fitted) {
    return map_columns(features_.folder() / set, key(cell, params, fitted));
  };
}

Observer Observation::observer(Point& point, bool fitted) {
  return {.key = key(point.cell, point.params(), fitted),
          .needs = point.handle.needs(),
          .observe =
              [this, &point, fitted](NetworkBatch& batch) {
                calls_.begin(&point.cell);
                const at::Tensor columns = point.handle.observe(batch, fitted);
                calls_.begin(nullptr);
                return columns;
              },
          .failed =
              [this, &point](const std::exception_ptr& why) {
                guarded(point.cell, [&] { std::rethrow_exception(why); });
                calls_.begin(nullptr);
              }};
}

std::vector<Observer> Observation::observers(const PlannedSet& set) {
  std::vector<Observer> all;
  const bool is_fit_set = set.name == "train" || set.name == "val" || set.name == "ood_val";
  for (const auto& point : points_) {
    const GroupCell& cell = point->cell;
    if (cell.failed || point->refused) continue;
    const bool to_fit =
        (set.name == "train" && point->needs(kTrain)) || (set.name == "val" && point->needs(kValidation));
    const bool to_score = is_fit_set ? set.name != "train" && !cell.grid.empty() : point->is_chosen();
    const bool fitted_differ = point->handle.observes_fitted();
    if (to_fit || (to_score && !fitted_differ)) all.push_back(observer(*point, false));
    if (to_score && fitted_differ && point->fitted) all.push_back(observer(*point, true));
  }
  return all;
}

void Observation::pass(const PlannedSet& set) { features_.ensure(set, observers(set)); }

void Observation::fit_points(bool with_validation) {
  const bool any =
      std::any_of(points_.begin(), points_.end(), [](const auto& point) { return point->handle.observes_fitted(); });
  if (!any) return;  // the others are fitted where they are scored
  const FeatureFolder folder(features_.folder());
  for (const auto& point : points_) {
    if (!point->handle.observes_fitted() || point->fitted || point->refused) continue;
    if (!with_validation && point->needs(kValidation)) continue;
    guarded(point->cell, [&] {
      calls_.begin(&point->cell);
      try {
        point->seconds_fit = fit(point->handle, folder, columns(point->cell, point->params()));
        point->fitted = true;
      } catch (const Error& error) {
        if (error.kind() != ErrorKind::config || point->cell.grid.empty()) throw;
        point->refused = true;
      }
    });
  }
  calls_.begin(nullptr);
}

void Observation::run() {
  make_points();
  const auto has = [&](const char* name) {
    return std::any_of(fit_sets_.begin(), fit_sets_.end(), [&](const PlannedSet& set) { return set.name == name; });
  };
  bool with_train = false;
  for (const PlannedSet& set : fit_sets_) {
    // Everything that needs no validation image can be fitted once the train set has passed.
    if (set.name != "train" && !with_train) fit_points(false), with_train = true;
    pass(set);
    if (set.name != "val") continue;
    fit_points(true);
    features_.ensure(set, observers(set));  // a second look for those that were fitted on it; the rest is there
  }
  if (!has("val")) fit_points(true);
  for (GroupCell& cell : cells_) {
    if (!cell.observing() || cell.chosen) continue;
    guarded(cell, [&] {
      calls_.begin(&cell);
      calls_.search(cell);
      cell.chosen = true;
    });
  }
  calls_.begin(nullptr);
  for (const PlannedSet& set : score_sets_) pass(set);
  std::erase_if(points_, [](const auto& point) { return !point->fitted || !point->is_chosen(); });
}

std::optional<Observation::Fitted> Observation::take_fitted(const GroupCell& cell) {
  const auto found =
      std::find_if(points_.begin(), points_.end(), [&](const auto& point) { return &point->cell == &cell; });
  if (found == points_.end()) return {};
  Fitted fitted{std::move((*found)->handle), (*found)->seconds_fit};
  points_.erase(found);
  return fitted;
}

}  // namespace nearfar
