#include "plan/plan.h"

#include "base/error.h"
#include "base/text.h"
#include "config/profile.h"
#include "plan/benchmarks.h"
#include "plan/cells.h"
#include "plan/foreign_models.h"
#include "plan/points.h"
#include "plan/postprocessors.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>

namespace nearfar {
namespace {
namespace fs = std::filesystem;

bool from_features(const Experiment& experiment) {
  return std::any_of(experiment.foreign.begin(), experiment.foreign.end(),
                     [](const ForeignModel& model) { return !model.features.empty(); });
}

/// A network that the engine does not know would fail in every train cell.
void check_networks(const Plan& plan, const Experiment& experiment) {
  const auto& known = plan.catalog.architectures;
  for (const Experiment* point : experiments_of(experiment)) {
    if (point->losses.empty()) continue;
    for (const std::string& network : point->networks) {
      if (std::find(known.begin(), known.end(), network) != known.end()) continue;
      throw Error(ErrorKind::config, fmt::format("models: there is no network '{}'{}; there are: {}", network,
                                                 suggestion(network, known), join(known, ", ")));
    }
  }
}

void check_not_empty(const Plan& plan) {
  const Experiment& experiment = plan.experiment;
  if (plan.models.empty()) {
    throw Error(ErrorKind::nothing,
                fmt::format("experiment '{}' names no loss to train with and no model to evaluate: give losses=ce, or "
                            "model.checkpoint=FILE, model.file=FILE.pt2 or model.features=DIR",
                            experiment.name));
  }
  if (!experiment.evaluate && plan.trains.empty()) {
    throw Error(ErrorKind::nothing, fmt::format("experiment '{}' trains nothing, and run.evaluate is false: there is "
                                                "nothing to do",
                                                experiment.name));
  }
  if (!experiment.evaluate || (plan.postprocessors.empty() && experiment.foreign.empty())) return;
  if (std::any_of(plan.evals.begin(), plan.evals.end(), [](const EvalCell& eval) { return eval.applicable; })) return;
  const std::string why = plan.evals.empty() ? "none is named" : plan.evals[0].cell.reason;
  throw Error(ErrorKind::nothing,
              fmt::format("no postprocessor of experiment '{}' can score these models: {}", experiment.name, why));
}

/// The experiment's paths, and what was found by searching folders.
std::string complete_profile(const Plan& plan, const std::vector<NamedAt>& names) {
  Value profile = parse_toml(plan.experiment.profile, "the experiment's paths");
  Value::Table& paths = *profile.table()->try_emplace("paths").first->second.table();
  const auto text = [](const fs::path& path) {
    Value value;
    value.data = fs::absolute(path).lexically_normal().string();
    return value;
  };
  for (std::size_t i = 0; i < plan.benchmarks.size(); ++i) {
    const std::string& name = names[i].name;
    const std::string bare = name.ends_with(".toml") ? fs::path(name).stem().string() : name;
    paths.insert_or_assign("benchmarks." + bare, text(plan.benchmarks[i].benchmark.file));
  }
  paths.insert_or_assign("out", text(plan.out));
  Value folders;
  auto& list = folders.data.emplace<Value::List>();
  for (const fs::path& directory : plan.plugin_dirs) list.push_back(text(directory));
  Value plugins;
  plugins.table()->insert_or_assign("directories", std::move(folders));
  profile.table()->insert_or_assign("plugins", std::move(plugins));
  return toml_text(profile);
}

/// Choices that lead to one version with the same parameters, as `knn` and `knn@>=1.0` may, are one: their cells are.
void merge_equal(std::vector<PostprocessorPlan>& postprocessors, std::vector<PointPlan>& points) {
  std::map<std::string, std::size_t> places;
  std::vector<std::size_t> place_of;
  std::vector<PostprocessorPlan> kept;
  for (PostprocessorPlan& one : postprocessors) {
    const auto [at, is_new] = places.emplace(one.identity, kept.size());
    place_of.push_back(at->second);
    if (is_new) kept.push_back(std::move(one));
  }
  postprocessors = std::move(kept);
  for (PointPlan& point : points) {
    for (std::size_t& place : point.postprocessors) place = place_of[place];
  }
}

/// What is the same in all points: a plan may be copied, and a hundred points with it would be too much.
Experiment without_points(const Experiment& experiment) {
  Experiment whole = experiment;
  whole.points.clear();
  return whole;
}

template <class Count>
std::int64_t count_cells(const Plan& plan, Count counts) {
  std::int64_t count = 0;
  for (const TrainCell& train : plan.trains) count += counts(train.cell) ? 1 : 0;
  for (const FeaturesCell& features : plan.features) count += counts(features.cell) ? 1 : 0;
  for (const AccuracyCell& accuracy : plan.accuracies) count += counts(accuracy.cell) ? 1 : 0;
  for (const EvalCell& eval : plan.evals) count += eval.applicable && counts(eval.cell) ? 1 : 0;
  return count;
}

}  // namespace

std::string_view origin_name(ModelOrigin origin) {
  static constexpr std::array<std::string_view, 5> kNames = {"trained", "checkpoint", "features", "exported",
                                                             "torchscript"};
  return kNames[static_cast<std::size_t>(origin)];
}

std::int64_t Plan::cell_count() const {
  return count_cells(*this, [](const Cell& cell) { return cell.needed; });
}

std::int64_t Plan::cells_to_run() const {
  return count_cells(*this, [](const Cell& cell) { return cell.will_run; });
}

std::int64_t Plan::cells_done() const { return cell_count() - cells_to_run(); }

Plan make_plan(const PlanRequest& request, const AskEngine& ask) {
  Plan plan;
  const Experiment& experiment = request.experiment;
  plan.experiment = without_points(experiment);
  plan.plugin_dirs = request.plugin_dirs;
  plan.out = !request.out.empty() ? request.out : experiment.out;
  plan.database = !request.database.empty() ? request.database : plan.out / "results.sqlite";
  PointWishes asked = asked_of(experiment);
  plan.points = std::move(asked.points);
  plan.losses = std::move(asked.losses);
  // Names and parameters are checked before gigabytes are hashed: a typo is told at once.
  plan.benchmarks = open_benchmarks(request, asked.benchmarks);
  plan.catalog = read_catalog(ask, request.plugin_dirs, plan.losses);
  plan.postprocessors = plan_postprocessors(asked.postprocessors, plan.catalog);
  merge_equal(plan.postprocessors, plan.points);
  for (const LossChoice& loss : plan.losses) static_cast<void>(plan.catalog.find("loss", loss.wanted(), loss.where));
  check_networks(plan, experiment);
  plan.models = foreign_models(plan, ask, request.trust);
  for (std::size_t i = 0; i < plan.benchmarks.size(); ++i) {
    BenchmarkPlan& benchmark = plan.benchmarks[i];
    if (from_features(experiment)) {
      use_manifest(experiment, feature_manifest(experiment, benchmark.benchmark), benchmark);
    } else {
      read_images(plan, i, request.reading, benchmark);
    }
  }
  add_trained_models(plan, experiments_of(experiment));
  add_model_cells(plan);
  check_not_empty(plan);
  plan.profile = complete_profile(plan, asked.benchmarks);
  return plan;
}

fs::path cell_folder(std::string_view key) { return fs::path("cells") / key.substr(0, 16); }
fs::path feature_folder(std::string_view model_key) { return fs::path("cache") / model_key.substr(0, 16); }

}  // namespace nearfar
