#include "plan/cells.h"

#include "base/error.h"
#include "base/hash.h"
#include "base/text.h"
#include "plan/identity.h"
#include "plan/postprocessors.h"
#include "plan/weights_files.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <map>
#include <set>
#include <unordered_map>

namespace nearfar {
namespace {

std::string protocols_part(const BenchmarkPlan& benchmark) {
  nlohmann::json protocols = nlohmann::json::object();
  for (const ProtocolSpec& protocol : benchmark.protocols) protocols[protocol.name] = protocol.csid;
  return protocols.dump();
}

/// What `plan` shows, and reports tell rows apart by.
std::vector<Factor> training_factors(const Experiment& experiment, const LossChoice& loss, const std::string& network,
                                     const PluginDescription& plugin, const ParamMap& params) {
  std::vector<Factor> factors{{"loss", plugin.name},
                              {"model", network},
                              {"dtype", experiment.dtype, experiment.dtype == "float32"},
                              {"deterministic", experiment.deterministic, experiment.deterministic},
                              {"nproc", experiment.nproc, experiment.nproc == 1}};
  const ParamMap own = non_default_params(plugin.params, params);
  for (const auto& [name, value] : params) factors.push_back({"loss." + name, value, !own.contains(name)});
  for (const RecipeField& field : recipe_fields(loss.recipe)) {
    if (field.changes_result) factors.push_back({"train." + field.name, field.value, field.is_default});
  }
  std::sort(factors.begin(), factors.end(), [](const Factor& a, const Factor& b) { return a.name < b.name; });
  return factors;
}

/// Weights that trainings start from.
struct Initial {
  WeightsFile weights;
  std::string sha256;
};

std::vector<Initial> initial_weights(const Experiment& experiment) {
  std::vector<Initial> all;
  if (!experiment.initial) return all;
  for (WeightsFile& file : weights_files(*experiment.initial)) {
    std::string hash = sha256_file(file.file);
    all.push_back({std::move(file), std::move(hash)});
  }
  return all;
}

/// The one for the seed, where there is one for each.
const Initial& initial_for(const std::vector<Initial>& files, std::int64_t seed, const std::string& where) {
  if (files.size() == 1) return files.front();
  const auto found = std::find_if(files.begin(), files.end(),
                                  [&](const Initial& one) { return one.weights.numbered && one.weights.seed == seed; });
  if (found != files.end()) return *found;
  throw Error(ErrorKind::config, fmt::format("{}: {} weights files, and none of them is of seed {}: train only seeds "
                                             "that have one, or name one file",
                                             where, files.size(), seed));
}

/// Names of plugins of one kind that a plan uses: "knn", and where several versions of it meet "knn@1.2.0".
class PluginNames {
 public:
  void use(const PluginDescription& plugin) { versions_[plugin.name].insert(plugin.version); }
  std::string of(const PluginDescription& plugin) const {
    const auto found = versions_.find(plugin.name);
    return found != versions_.end() && found->second.size() > 1 ? plugin.name + "@" + plugin.version : plugin.name;
  }

 private:
  std::map<std::string, std::set<std::string>> versions_;
};

/// Everything of a loss that does not depend on benchmark, network and seed.
struct LossPlan {
  std::size_t index = 0, plugin = 0;
  ParamMap params = {};
  std::string identity = {}, recipe = {};
  std::string name = {};  ///< for labels
  bool linear = false;
};

LossPlan plan_loss(const Plan& plan, std::size_t index) {
  const LossChoice& choice = plan.losses[index];
  LossPlan loss{.index = index, .plugin = plan.catalog.find("loss", choice.wanted(), choice.where)};
  const PluginDescription& plugin = plan.catalog.plugins[loss.plugin];
  const std::string place = param_place(choice.where, choice.param_where, "loss", choice.name);
  loss.params = validate(plugin.params, choice.params, place).values();
  const wire::LossAnswer& traits = plan.catalog.losses.at(index);
  if (!traits.error.empty()) throw Error(ErrorKind::plugin, fmt::format("{}: {}", place, traits.error));
  loss.linear = traits.head == "linear";
  loss.identity = plugin_part(plugin, loss.params);
  loss.recipe = recipe_identity(choice.recipe).dump();
  return loss;
}

/// `train.images` other than prepared is for sets of image files.
void check_train_images(const LossChoice& choice, const Benchmark& benchmark) {
  if (choice.recipe.images == "prepared" || is_listed(benchmark.source(benchmark.set("train").source))) return;
  throw Error(
      ErrorKind::config,
      fmt::format("{}: 'images' of the training with '{}' is {}, but the train images of '{}' do not come from image "
                  "files, one by one: set it to prepared",
                  choice.where, choice.name, choice.recipe.images, benchmark.name));
}

/// What a trained model is, besides its loss.
struct Wanted {
  std::size_t benchmark = 0;
  std::string network = {}, recipe = {};
  std::int64_t seed = 0;
  std::string settings = {};  ///< for its label: " train.lr=0.05"
};

TrainCell train_cell(const Plan& plan, const std::vector<Initial>& initial, const LossPlan& loss,
                     const Wanted& wanted) {
  const LossChoice& choice = plan.losses[loss.index];
  const BenchmarkPlan& on = plan.benchmarks[wanted.benchmark];
  TrainCell train{.cell = {}, .model = 0, .loss = loss.index, .plugin = loss.plugin, .params = loss.params};
  std::vector<std::string> sets{"train"};
  if (on.has("val")) sets.emplace_back("val");
  auto parts = common_parts(plan.experiment);
  parts.insert(parts.end(), {{"kind", "\"train\""},
                             {"images", images_part(on, sets)},
                             {"architecture", json_text(wanted.network)},
                             {"loss", loss.identity},
                             {"recipe", loss.recipe},
                             {"seed", std::to_string(wanted.seed)}});
  if (choice.recipe.start == "checkpoint") {
    const Initial& from = initial_for(initial, wanted.seed, plan.experiment.initial->where);
    train.initial = from.weights.file;
    train.initial_sha256 = from.sha256;
    parts.push_back({"initial", json_text(train.initial_sha256)});
  }
  if (plan.experiment.nproc > 1) parts.push_back({"nproc", std::to_string(plan.experiment.nproc)});
  identify(train.cell, json_object(std::move(parts)));
  return train;
}

ModelPlan trained_model(const Plan& plan, const LossPlan& loss, const Wanted& wanted, const std::string& key) {
  const LossChoice& choice = plan.losses[loss.index];
  const PluginDescription& plugin = plan.catalog.plugins[loss.plugin];
  ModelPlan model{.origin = ModelOrigin::trained, .benchmark = wanted.benchmark, .key = key};
  model.label = fmt::format("{}/{}/s{}{}", loss.name, wanted.network, wanted.seed, wanted.settings);
  model.has_classifier = loss.linear;
  model.architecture = wanted.network;
  model.head = loss.linear                            ? "linear"
               : choice.recipe.projection == "linear" ? "linear projection"
                                                      : choice.recipe.projection;
  model.training = plugin.name;
  model.training_params = canonical_params(non_default_params(plugin.params, loss.params));
  model.recipe = wanted.recipe;
  model.seed = wanted.seed;
  model.factors = training_factors(plan.experiment, choice, wanted.network, plugin, loss.params);
  return model;
}

/// What a point sets of a training with this loss, for its label: what the label has anyway is left out, and what the
/// loss's own recipe overrides is noted.
std::string settings_of(Plan& plan, const PointPlan& point, const LossChoice& loss) {
  std::string text;
  const std::string own = "loss." + loss.name + ".";
  for (const Factor& factor : point.settings) {
    const bool general = factor.name.starts_with("train.");
    if (!general && !factor.name.starts_with(own)) continue;
    const std::string name = factor.name.substr(factor.name.rfind('.') + 1);
    if (general) {
      const std::vector<RecipeField> fields = recipe_fields(loss.recipe);
      const auto field = std::find_if(fields.begin(), fields.end(), [&](const auto& one) { return one.name == name; });
      if (field != fields.end() && param_text(field->value) != param_text(factor.value)) {
        std::string note = fmt::format(
            "{} changes nothing for {}, whose [loss.{}.train] sets {} = {}; its axis would "
            "be loss.{}.train.{}",
            factor.name, loss.name, loss.name, name, param_text(field->value), loss.name, name);
        if (std::find(plan.notes.begin(), plan.notes.end(), note) == plan.notes.end())
          plan.notes.push_back(std::move(note));
        continue;
      }
    }
    text += fmt::format(" {}={}", name, param_text(factor.value));
  }
  return text;
}

bool has_maps(const Plan& plan, const ModelPlan& model) {
  const auto& with = plan.catalog.with_maps;
  const bool made_elsewhere = model.origin == ModelOrigin::exported || model.origin == ModelOrigin::torchscript;
  return made_elsewhere ? model.stages > 0 : std::find(with.begin(), with.end(), model.architecture) != with.end();
}

/// Why a postprocessor cannot score a model; "" where it can.
std::string refusal(const Plan& plan, const ModelPlan& model, const PostprocessorPlan& with) {
  const PluginDescription& plugin = plan.plugin_of(with);
  const BenchmarkPlan& benchmark = plan.benchmark_of(model);
  for (const std::string& set : fit_sets(plugin, with.grid)) {
    if (benchmark.has(set)) continue;
    const auto why = benchmark.absent.find(set);
    return fmt::format("needs the image set '{}': {}", set,
                       why != benchmark.absent.end() ? why->second : "the feature folder has none");
  }
  for (const std::string_view need : {"map-statistics", "input-gradients"}) {
    if (!plugin.needs_one(need)) continue;
    if (model.origin == ModelOrigin::features) {
      return fmt::format("needs {}; {} is features without a network", need, model.label);
    }
    if (need == "map-statistics" && !has_maps(plan, model)) {
      return model.origin == ModelOrigin::exported
                 ? fmt::format("needs {}; name the nodes of {} that are maps: model.map_nodes", need, model.label)
                 : fmt::format("needs {}; {} has no feature maps to show", need, model.architecture);
    }
  }
  for (const std::string_view need : {"features", "normalized-features"}) {
    if (model.has_features || !plugin.needs_one(need)) continue;
    return fmt::format("needs {}; {} gives logits alone{}", need, model.label,
                       model.origin == ModelOrigin::exported ? ": name a node, model.feature_node" : "");
  }
  if (model.has_classifier && !model.has_head && plugin.needs_one("head-weights"))
    return fmt::format("needs head-weights; the logits of {} are no linear layer of its feature", model.label);
  if (model.has_classifier) return "";
  for (const std::string_view need : {"logits", "head-weights"}) {
    if (plugin.needs_one(need)) return fmt::format("needs {}; {} has no linear head", need, model.label);
  }
  return "";
}

/// Parts of identities that the eval cells of one benchmark share: one for each postprocessor.
struct EvalParts {
  std::string images = {}, protocols = {};
};

std::vector<EvalParts> eval_parts(const Plan& plan, const BenchmarkPlan& benchmark) {
  std::vector<EvalParts> parts;
  for (const PostprocessorPlan& postprocessor : plan.postprocessors) {
    std::vector<std::string> sets = benchmark.scored_sets;
    for (const std::string& set : fit_sets(plan.plugin_of(postprocessor), postprocessor.grid)) {
      if (benchmark.has(set)) sets.push_back(set);
    }
    std::string images = images_part(benchmark, sets);
    parts.push_back({std::move(images), protocols_part(benchmark)});
  }
  return parts;
}

void add_eval(Plan& plan, std::size_t index, std::size_t postprocessor, const EvalParts& shared,
              const std::vector<std::pair<std::string_view, std::string>>& common) {
  const ModelPlan& model = plan.models[index];
  const PostprocessorPlan& with = plan.postprocessors[postprocessor];
  EvalCell eval{.cell = {}, .model = index, .postprocessor = postprocessor};
  auto parts = common;
  parts.insert(parts.end(), {{"kind", "\"eval\""},
                             {"model", json_text(model.key)},
                             {"images", shared.images},
                             {"protocols", shared.protocols},
                             {"postprocessor", with.identity}});
  identify(eval.cell, json_object(std::move(parts)));
  if (std::string why = refusal(plan, model, with); !why.empty()) {
    eval.applicable = false;
    eval.cell.state = "not-applicable";
    eval.cell.reason = std::move(why);
    eval.cell.will_run = false;
  }
  plan.evals.push_back(std::move(eval));
}

void add_accuracy(Plan& plan, std::size_t index, const std::vector<std::pair<std::string_view, std::string>>& common) {
  const ModelPlan& model = plan.models[index];
  if (!model.measurable) return;
  AccuracyCell accuracy{.cell = {}, .model = index};
  auto parts = common;
  parts.insert(parts.end(), {{"kind", "\"accuracy\""},
                             {"model", json_text(model.key)},
                             {"images", images_part(plan.benchmark_of(model), accuracy_sets(plan, model))},
                             {"protocols", protocols_part(plan.benchmark_of(model))}});
  identify(accuracy.cell, json_object(std::move(parts)));
  accuracy.cell.label = model.label + " accuracy";
  plan.accuracies.push_back(std::move(accuracy));
}

/// One for each image set that a cell of the model looks at: train first, then the order in which they are scored.
void add_features(Plan& plan, std::size_t index, std::size_t first_eval,
                  const std::vector<std::pair<std::string_view, std::string>>& common) {
  const ModelPlan& model = plan.models[index];
  if (model.origin == ModelOrigin::features) return;
  const BenchmarkPlan& benchmark = plan.benchmark_of(model);
  std::set<std::string> wanted;
  const auto want = [&](const std::vector<std::string>& sets) { wanted.insert(sets.begin(), sets.end()); };
  if (model.measurable) want(accuracy_sets(plan, model));
  for (std::size_t i = first_eval; i < plan.evals.size(); ++i) {
    const PostprocessorPlan& with = plan.postprocessors[plan.evals[i].postprocessor];
    if (!plan.evals[i].applicable) continue;
    want(benchmark.scored_sets);
    want(fit_sets(plan.plugin_of(with), with.grid));
  }
  std::vector<std::string> order{"train", "val", "ood_val"};
  order.insert(order.end(), benchmark.scored_sets.begin(), benchmark.scored_sets.end());
  for (const std::string& set : order) {
    if (!wanted.contains(set)) continue;
    FeaturesCell features{.cell = {}, .model = index, .set = set};
    auto parts = common;
    parts.insert(
        parts.end(),
        {{"kind", "\"features\""},
         {"model", json_text(model.key)},
         {"images", json_object({{"pixels", benchmark.pixels}, {"hash", json_text(benchmark.entry(set).hash)}})}});
    identify(features.cell, json_object(std::move(parts)));
    features.cell.label = fmt::format("{} features of {}", model.label, set);
    plan.features.push_back(std::move(features));
  }
}

}  // namespace

std::vector<std::string> accuracy_sets(const Plan& plan, const ModelPlan& model) {
  std::vector<std::string> sets{"test"};
  for (const ProtocolSpec& protocol : plan.benchmark_of(model).protocols) {
    for (const std::string& set : protocol.csid) {
      if (std::find(sets.begin(), sets.end(), set) == sets.end()) sets.push_back(set);
    }
  }
  if (!model.has_classifier) sets.emplace_back("train");
  return sets;
}

void add_trained_models(Plan& plan, const std::vector<const Experiment*>& points) {
  const std::vector<Initial> initial = initial_weights(plan.experiment);
  std::vector<LossPlan> losses;
  for (std::size_t i = 0; i < plan.losses.size(); ++i) losses.push_back(plan_loss(plan, i));
  PluginNames names;
  for (const LossPlan& loss : losses) names.use(plan.catalog.plugins[loss.plugin]);
  for (LossPlan& loss : losses) loss.name = names.of(plan.catalog.plugins[loss.plugin]);
  std::unordered_map<std::string, std::size_t> known;  // keys of train cells
  for (std::size_t i = 0; i < points.size(); ++i) {
    PointPlan& point = plan.points[i];
    std::vector<std::string> settings(plan.losses.size());
    for (const std::size_t loss : point.losses) settings[loss] = settings_of(plan, point, plan.losses[loss]);
    for (const std::size_t benchmark : point.benchmarks) {
      for (const std::int64_t seed : points[i]->seeds) {
        for (const std::string& network : points[i]->networks) {
          for (const std::size_t loss : point.losses) {
            check_train_images(plan.losses[loss], plan.benchmarks[benchmark].benchmark);
            const Wanted wanted{benchmark, network, points[i]->recipe, seed, settings[loss]};
            TrainCell train = train_cell(plan, initial, losses[loss], wanted);
            const auto [at, added] = known.emplace(train.cell.key, plan.models.size());
            point.models.push_back(at->second);
            if (!added) continue;
            train.model = plan.models.size();
            plan.models.push_back(trained_model(plan, losses[loss], wanted, train.cell.key));
            plan.trains.push_back(std::move(train));
          }
        }
      }
    }
    if (!points[i]->foreign.empty()) {
      for (std::size_t model = 0; model < plan.models.size(); ++model) {
        if (plan.models[model].origin != ModelOrigin::trained) point.models.push_back(model);
      }
    }
  }
}

namespace {

/// Which postprocessors score a model: those of the points that ask for it.
std::vector<std::set<std::size_t>> postprocessors_of_models(const Plan& plan) {
  std::vector<std::set<std::size_t>> wanted(plan.models.size());
  for (const PointPlan& point : plan.points) {
    for (const std::size_t model : point.models)
      wanted[model].insert(point.postprocessors.begin(), point.postprocessors.end());
  }
  return wanted;
}

/// A postprocessor that stands several times in a plan needs its parameters in its cells' labels.
std::vector<std::string> names_of_postprocessors(const Plan& plan) {
  PluginNames told;
  std::map<std::string, int> counts;
  for (const PostprocessorPlan& one : plan.postprocessors) told.use(plan.plugin_of(one));
  for (const PostprocessorPlan& one : plan.postprocessors) ++counts[told.of(plan.plugin_of(one))];
  std::vector<std::string> names;
  for (const PostprocessorPlan& one : plan.postprocessors) {
    const std::string name = told.of(plan.plugin_of(one));
    names.push_back(counts[name] > 1 && !one.shown.empty() ? name + " " + one.shown : name);
  }
  return names;
}

}  // namespace

void add_model_cells(Plan& plan) {
  const auto common = common_parts(plan.experiment);
  std::vector<std::vector<EvalParts>> parts;
  for (const BenchmarkPlan& benchmark : plan.benchmarks) parts.push_back(eval_parts(plan, benchmark));
  const std::vector<std::set<std::size_t>> wanted = postprocessors_of_models(plan);
  const std::vector<std::string> names = names_of_postprocessors(plan);
  std::size_t train = 0;
  for (std::size_t index = 0; index < plan.models.size(); ++index) {
    ModelPlan& model = plan.models[index];
    const BenchmarkPlan& benchmark = plan.benchmark_of(model);
    if (plan.benchmarks.size() > 1) model.label = benchmark.benchmark.name + ": " + model.label;
    if (!model.flags.empty() && !benchmark.flags.empty()) model.flags += ";";
    model.flags += benchmark.flags;
    if (model.origin == ModelOrigin::trained) plan.trains[train++].cell.label = model.label;
    if (!plan.experiment.evaluate) continue;
    const std::size_t first_eval = plan.evals.size();
    for (const std::size_t i : wanted[index]) {
      add_eval(plan, index, i, parts[model.benchmark][i], common);
      plan.evals.back().cell.label = model.label + " " + names[i];
    }
    add_accuracy(plan, index, common);
    add_features(plan, index, first_eval, common);
  }
}

}  // namespace nearfar
