#include "engine/observation.h"

#include "base/error.h"
#include "base/stopwatch.h"

#include <fmt/format.h>

#include <algorithm>

namespace nearfar {

GroupCell::GroupCell(const wire::EvalCell& job_cell, LoadedPlugin loaded)
    : job(job_cell),
      plugin(std::move(loaded)),
      fixed(job_cell.postprocessor.params),
      grid(grid_from_text(plugin.params(), job_cell.grid, plugin.label())),
      params(fixed),
      chosen(grid.empty()) {}

bool GroupCell::fits_on(const std::string& set) const {
  const Needs needs = plugin.needs();
  return (set == "train" && (needs & kTrain) != 0) || (set == "val" && ((needs & kValidation) != 0 || !grid.empty())) ||
         (set == "ood_val" && !grid.empty());
}

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

Observation::Observation(ModelFeatures& features, std::vector<wire::PassCell> fit_sets,
                         std::vector<wire::PassCell> score_sets, std::vector<GroupCell>& cells, Calls calls)
    : features_(features),
      fit_sets_(std::move(fit_sets)),
      score_sets_(std::move(score_sets)),
      cells_(cells),
      calls_(std::move(calls)) {
  // What is fitted on the train images looks at the validation images afterwards.
  const auto order = [](const wire::PassCell& pass) {
    return pass.set.name == "train" ? 0 : pass.set.name == "val" ? 1 : 2;
  };
  std::stable_sort(fit_sets_.begin(), fit_sets_.end(),
                   [&](const auto& a, const auto& b) { return order(a) < order(b); });
}

Observation::~Observation() = default;

void Observation::guarded(GroupCell& cell, const std::function<void()>& body) {
  if (cell.ended) return;
  try {
    body();
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::interrupted) throw;
    cell.ended = true;
    calls_.failed(cell, std::current_exception());
  } catch (const std::exception&) {
    cell.ended = true;
    calls_.failed(cell, std::current_exception());
  }
}

void Observation::work_for(std::vector<std::string> cells) {
  working_for_ = std::move(cells);
  calls_.begin(working_for_);
}

void Observation::make_points() {
  for (GroupCell& cell : cells_) {
    if (!cell.observing()) continue;
    guarded(cell, [&] {
      calls_.begin({cell.job.cell});
      for (std::size_t i = 0; i < std::max<std::size_t>(1, cell.grid.size()); ++i) {
        ParamMap params = cell.fixed;
        if (!cell.grid.empty()) params.merge(cell.grid.point(i));
        points_.push_back(
            std::make_unique<Point>(Point{cell, PostprocessorHandle(cell.plugin, params, cell.plugin.label())}));
      }
    });
  }
  calls_.begin(working_for_);
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
  for (const wire::PassCell& pass : fit_sets_) {
    const bool looked_at = (pass.set.name == "train" && (cell.plugin.needs() & kTrain) != 0) ||
                           (pass.set.name == "val" && (cell.plugin.needs() & kValidation) != 0);
    if (looked_at) text += fmt::format(" {}={}", pass.set.name, pass.set.hash);
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
                calls_.begin({point.cell.job.cell});
                const at::Tensor columns = point.handle.observe(batch, fitted);
                calls_.begin(working_for_);
                return columns;
              },
          .failed =
              [this, &point](const std::exception_ptr& why) {
                guarded(point.cell, [&] { std::rethrow_exception(why); });
                calls_.begin(working_for_);
              }};
}

bool Observation::is_fit_set(const std::string& set) const {
  return set == "train" || set == "val" || set == "ood_val";
}

std::vector<Observer> Observation::observers(const std::string& set) {
  std::vector<Observer> all;
  for (const auto& point : points_) {
    const GroupCell& cell = point->cell;
    if (cell.ended || point->refused) continue;
    const bool to_fit = (set == "train" && point->needs(kTrain)) || (set == "val" && point->needs(kValidation));
    const bool to_score = is_fit_set(set) ? set != "train" && !cell.grid.empty() : point->is_chosen();
    const bool fitted_differ = point->handle.observes_fitted();
    if (to_fit || (to_score && !fitted_differ)) all.push_back(observer(*point, false));
    if (to_score && fitted_differ && point->fitted) all.push_back(observer(*point, true));
  }
  return all;
}

/// One look at a set. Its features cell is charged for the network and each observer for its own part; where no
/// features cell is to be done, the network runs for the observers, so all of them are.
void Observation::pass(const wire::PassCell& pass, bool again) {
  if (broken_.contains(pass.set.name)) return;
  const std::string cell = again ? "" : pass.cell;
  const std::vector<Observer> looking = observers(pass.set.name);
  std::set<std::string> charged;
  if (!cell.empty()) {
    charged.insert(cell);
  } else if (!looking.empty()) {
    for (const auto& point : points_) {
      if (!point->cell.ended) charged.insert(point->cell.job.cell);
    }
  }
  work_for({charged.begin(), charged.end()});
  const Stopwatch watch;
  try {
    const PassCounts counts = features_.ensure(pass.set, looking);
    calls_.passed(pass, cell, watch.seconds(), counts);
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::interrupted) throw;
    break_set(pass, std::current_exception());
  } catch (const std::exception&) {
    break_set(pass, std::current_exception());
  }
  work_for({});
}

/// The set's own cell fails, and the cells that look at it are not tried; where it has no cell to fail, they fail.
void Observation::break_set(const wire::PassCell& pass, const std::exception_ptr& why) {
  broken_.insert(pass.set.name);
  if (!pass.cell.empty()) calls_.pass_failed(pass, why);
  for (GroupCell& cell : cells_) {
    if (cell.ended || (is_fit_set(pass.set.name) && !cell.fits_on(pass.set.name))) continue;
    cell.ended = true;
    if (pass.cell.empty()) {
      calls_.failed(cell, why);
    } else {
      calls_.skipped(cell, pass.set.name);
    }
  }
}

void Observation::fit_points(bool with_validation) {
  const bool any =
      std::any_of(points_.begin(), points_.end(), [](const auto& point) { return point->handle.observes_fitted(); });
  if (!any) return;  // the others are fitted where they are scored
  const FeatureFolder folder(features_.folder());
  for (const auto& point : points_) {
    if (!point->handle.observes_fitted() || point->fitted || point->refused || point->cell.ended) continue;
    if (!with_validation && point->needs(kValidation)) continue;
    guarded(point->cell, [&] {
      calls_.begin({point->cell.job.cell});
      try {
        point->seconds_fit = fit(point->handle, folder, features_.device(), columns(point->cell, point->params()));
        point->fitted = true;
      } catch (const Error& error) {
        if (error.kind() != ErrorKind::config || point->cell.grid.empty()) throw;
        point->refused = true;
      }
    });
  }
  calls_.begin(working_for_);
}

void Observation::run() {
  make_points();
  bool with_train = false, with_validation = false;
  for (const wire::PassCell& fit_set : fit_sets_) {
    // Everything that needs no validation image can be fitted once the train set has passed.
    if (fit_set.set.name != "train" && !with_train) fit_points(false), with_train = true;
    pass(fit_set);
    if (fit_set.set.name != "val") continue;
    fit_points(true);
    with_validation = true;
    // A second look for those that were fitted on it; the rest is there.
    if (!observers(fit_set.set.name).empty()) pass(fit_set, true);
  }
  if (!with_validation) fit_points(true);
  for (GroupCell& cell : cells_) {
    if (!cell.observing() || cell.chosen) continue;
    guarded(cell, [&] {
      calls_.begin({cell.job.cell});
      calls_.search(cell);
      cell.chosen = true;
    });
  }
  calls_.begin({});
  for (const wire::PassCell& score_set : score_sets_) pass(score_set);
  std::erase_if(points_, [](const auto& point) { return !point->fitted || !point->is_chosen(); });
}

bool Observation::is_fitted(const GroupCell& cell) const {
  return std::any_of(points_.begin(), points_.end(), [&](const auto& point) { return &point->cell == &cell; });
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
