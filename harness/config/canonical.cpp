#include "base/error.h"
#include "base/text.h"
#include "config/experiment.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>

namespace nearfar {
namespace {

using Json = nlohmann::json;  // its objects are std::map: keys are sorted

Json recipe_object(const TrainRecipe& recipe) {
  return {{"epochs", recipe.epochs},
          {"batch_size", recipe.batch_size},
          {"lr", recipe.learning_rate},
          {"momentum", recipe.momentum},
          {"weight_decay", recipe.weight_decay},
          {"nesterov", recipe.nesterov},
          {"warmup_fraction", recipe.warmup_fraction},
          {"final_lr", recipe.final_lr},
          {"shift", recipe.shift},
          {"flip", recipe.flip},
          {"projection", recipe.projection},
          {"embedding_dim", recipe.embedding_dim},
          {"checkpoint_every_epochs", recipe.checkpoint_every_epochs}};
}

/// What changes a result: how often it is saved does not.
Json identity(const TrainRecipe& recipe) {
  Json object = recipe_object(recipe);
  object.erase("checkpoint_every_epochs");
  return object;
}

/// A plugin's table is not known here, so 1 and 1.0 must be the same: whole numbers are written as integers.
Json identity(const ParamMap& params) {
  constexpr double kExact = 9007199254740992.0;  // 2^53
  Json object = Json::object();
  for (const auto& [name, value] : params) {
    const double* number = std::get_if<double>(&value);
    if (number && !std::isfinite(*number)) {
      object[name] = number_text(*number);  // JSON has no infinity
    } else if (number && std::trunc(*number) == *number && std::abs(*number) < kExact) {
      object[name] = static_cast<std::int64_t>(*number);
    } else {
      std::visit([&object, &key = name](const auto& held) { object[key] = held; }, value);
    }
  }
  return object;
}

Json identity(const TuneChoice& tune) {
  if (tune.mode == TuneChoice::Mode::openood) return "openood";
  Json axes = Json::object();
  for (const auto& [name, values] : tune.axes) {
    for (const ParamValue& value : values) axes[name].push_back(identity(ParamMap{{"value", value}}).at("value"));
  }
  return axes;
}

/// A benchmark's name without the folder it lies in.
std::string benchmark_name(const std::string& benchmark) {
  return plugin_key(std::filesystem::path(benchmark).stem().string());
}

template <class T>
std::vector<T> sorted(std::vector<T> values) {
  std::sort(values.begin(), values.end());
  return values;
}

}  // namespace

std::string canonical_text(const Experiment& experiment) {
  Json losses = Json::object(), postprocessors = Json::object();
  for (const LossChoice& loss : experiment.losses)
    losses[loss.name] = {{"params", identity(loss.params)}, {"train", identity(loss.recipe)}};
  for (const PostprocessorChoice& choice : experiment.postprocessors) {
    postprocessors[choice.name] = {{"params", identity(choice.params)}};
    if (choice.tune.mode != TuneChoice::Mode::none) postprocessors[choice.name]["tune"] = identity(choice.tune);
  }
  Json models = Json::array();
  for (const ForeignModel& model : experiment.models) {
    models.push_back({{"architecture", model.architecture},
                      {"training", model.training},
                      {"seed", model.seed ? Json(*model.seed) : Json()},
                      {"from", model.features.empty() ? "checkpoint" : "features"}});
  }
  const Json document = {{"name", experiment.name},
                         {"recipe", experiment.recipe},
                         {"benchmark", benchmark_name(experiment.benchmark)},
                         {"protocols", sorted(experiment.protocols)},
                         {"model", {{"name", experiment.model}, {"from", models}}},
                         {"losses", losses},
                         {"postprocessors", postprocessors},
                         {"seeds", sorted(experiment.seeds)},
                         {"data",
                          {{"allow_count_mismatch", experiment.allow_count_mismatch},
                           {"limit", experiment.limit},
                           {"on_unreadable", experiment.on_unreadable}}},
                         {"dtype", experiment.dtype},
                         {"deterministic", experiment.deterministic}};
  return document.dump();
}

std::string recipe_identity(const TrainRecipe& recipe) { return identity(recipe).dump(); }

std::string recipe_json(const TrainRecipe& recipe) { return recipe_object(recipe).dump(); }

TrainRecipe recipe_from_json(std::string_view json) try {
  const Json object = Json::parse(json);
  TrainRecipe recipe;
  object.at("epochs").get_to(recipe.epochs);
  object.at("batch_size").get_to(recipe.batch_size);
  object.at("lr").get_to(recipe.learning_rate);
  object.at("momentum").get_to(recipe.momentum);
  object.at("weight_decay").get_to(recipe.weight_decay);
  object.at("nesterov").get_to(recipe.nesterov);
  object.at("warmup_fraction").get_to(recipe.warmup_fraction);
  object.at("final_lr").get_to(recipe.final_lr);
  object.at("shift").get_to(recipe.shift);
  object.at("flip").get_to(recipe.flip);
  object.at("projection").get_to(recipe.projection);
  object.at("embedding_dim").get_to(recipe.embedding_dim);
  object.at("checkpoint_every_epochs").get_to(recipe.checkpoint_every_epochs);
  return recipe;
} catch (const Json::exception& error) {
  throw Error(ErrorKind::internal, std::string("a training recipe in JSON is not readable: ") + error.what());
}

std::string params_json(const ParamMap& params) {
  Json object = Json::object();
  for (const auto& [name, value] : params)
    std::visit([&object, &key = name](const auto& held) { object[key] = held; }, value);
  return object.dump();
}

ParamMap params_from_json(std::string_view json) try {
  ParamMap params;
  for (const auto& [name, value] : Json::parse(json).get<std::map<std::string, Json>>()) {
    if (value.is_boolean()) {
      params[name] = value.get<bool>();
    } else if (value.is_number_integer()) {
      params[name] = value.get<std::int64_t>();
    } else if (value.is_number()) {
      params[name] = value.get<double>();
    } else {
      params[name] = value.get<std::string>();
    }
  }
  return params;
} catch (const Json::exception& error) {
  throw Error(ErrorKind::internal, std::string("parameters in JSON are not readable: ") + error.what());
}

}  // namespace nearfar
