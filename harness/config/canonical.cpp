#include "base/hash.h"
#include "base/text.h"
#include "config/experiment.h"
#include "config/params_json.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace nearfar {
namespace {

using Json = nlohmann::json;  // its objects are std::map: keys are sorted

Json identity(const ParamMap& params) {
  Json object = Json::object();
  for (const auto& [name, value] : params) object[name] = param_identity(value);
  return object;
}

template <class T>
std::vector<T> sorted(std::vector<T> values) {
  std::sort(values.begin(), values.end());
  return values;
}

}  // namespace

std::string benchmark_key(const std::string& benchmark) {
  return plugin_key(std::filesystem::path(benchmark).stem().string());
}

std::string canonical_text(const Experiment& experiment) {
  if (!experiment.points.empty()) {
    std::vector<std::string> hashes;
    for (const Point& point : experiment.points) hashes.push_back(sha256(canonical_text(point.experiment)));
    Json sweep = {{"points", hashes.size()}, {"hash", sha256(join(sorted(hashes), " "))}};
    if (experiment.halving) {
      const Halving& halving = *experiment.halving;
      sweep["halving"] = {halving.first_epochs, halving.keep, halving.by};
    }
    return Json{{"name", experiment.name}, {"sweep", std::move(sweep)}}.dump();
  }
  Json losses = Json::object(), postprocessors = Json::object();
  for (const LossChoice& loss : experiment.losses)
    losses[loss.wanted()] = {{"params", identity(loss.params)}, {"train", recipe_identity(loss.recipe)}};
  for (const PostprocessorChoice& choice : experiment.postprocessors) {
    postprocessors[choice.wanted()] = {{"params", identity(choice.params)}};
    if (choice.tune.mode != TuneChoice::Mode::none)
      postprocessors[choice.wanted()]["tune"] = tune_identity(choice.tune);
  }
  std::vector<std::string> benchmarks;
  for (const NamedAt& named : experiment.benchmarks) benchmarks.push_back(benchmark_key(named.name));
  Json models = Json::array();
  for (const ForeignModel& model : experiment.foreign) {
    const char* from = !model.features.empty()      ? "features"
                       : !model.file.empty()        ? "file"
                       : !model.torchscript.empty() ? "torchscript"
                                                    : "checkpoint";
    Json entry = {{"architecture", model.architecture},
                  {"training", model.training},
                  {"seed", model.seed ? Json(*model.seed) : Json()},
                  {"from", from}};
    if (!model.feature_node.empty()) entry["feature_node"] = model.feature_node;
    if (!model.map_nodes.empty()) entry["map_nodes"] = model.map_nodes;
    models.push_back(std::move(entry));
  }
  Json document = {{"name", experiment.name},
                   {"recipe", experiment.recipe},
                   {"benchmarks", sorted(benchmarks)},
                   {"protocols", sorted(experiment.protocols)},
                   {"models", {{"trained", sorted(experiment.networks)}, {"from", models}}},
                   {"losses", losses},
                   {"postprocessors", postprocessors},
                   {"seeds", sorted(experiment.seeds)},
                   {"data",
                    {{"allow_count_mismatch", experiment.allow_count_mismatch},
                     {"limit", experiment.limit},
                     {"on_unreadable", experiment.on_unreadable}}},
                   {"dtype", experiment.dtype},
                   {"deterministic", experiment.deterministic}};
  // Later than the others: at its default it is left out, so that older experiments keep their hash.
  if (experiment.initial) document["models"]["initial"] = "checkpoint";
  if (experiment.identity != "contents") document["data"]["identity"] = experiment.identity;
  if (!experiment.evaluate) document["evaluate"] = false;
  return document.dump();
}

}  // namespace nearfar
