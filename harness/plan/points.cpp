#include "plan/points.h"

#include "config/params_json.h"

#include <nlohmann/json.hpp>

#include <map>
#include <string>

namespace nearfar {
namespace {

std::string text_of(const LossChoice& loss) {
  return nlohmann::json{loss.wanted(), params_to_json(loss.params), recipe_to_json(loss.recipe)}.dump();
}

std::string text_of(const PostprocessorChoice& choice) {
  return nlohmann::json{choice.wanted(), params_to_json(choice.params), static_cast<int>(choice.tune.mode),
                        tune_identity(choice.tune)}
      .dump();
}

std::string text_of(const NamedAt& benchmark) { return benchmark_key(benchmark.name); }

/// A list without repetitions, and where what is in it.
template <class T>
class Once {
 public:
  explicit Once(std::vector<T>& list) : list_(list) {}

  std::vector<std::size_t> places(const std::vector<T>& wanted) {
    std::vector<std::size_t> found;
    for (const T& one : wanted) {
      const auto [at, added] = known_.emplace(text_of(one), list_.size());
      if (added) list_.push_back(one);
      found.push_back(at->second);
    }
    return found;
  }

 private:
  std::vector<T>& list_;
  std::map<std::string, std::size_t> known_;
};

}  // namespace

std::vector<const Experiment*> experiments_of(const Experiment& experiment) {
  std::vector<const Experiment*> all;
  for (const Point& point : experiment.points) all.push_back(&point.experiment);
  if (all.empty()) all.push_back(&experiment);
  return all;
}

PointWishes asked_of(const Experiment& experiment) {
  PointWishes asked;
  Once benchmarks(asked.benchmarks);
  Once losses(asked.losses);
  Once postprocessors(asked.postprocessors);
  const std::vector<const Experiment*> experiments = experiments_of(experiment);
  for (std::size_t i = 0; i < experiments.size(); ++i) {
    PointPlan& point = asked.points.emplace_back();
    if (!experiment.points.empty()) point.settings = experiment.points[i].settings;
    point.benchmarks = benchmarks.places(experiments[i]->benchmarks);
    point.losses = losses.places(experiments[i]->losses);
    point.postprocessors = postprocessors.places(experiments[i]->postprocessors);
  }
  return asked;
}

}  // namespace nearfar
