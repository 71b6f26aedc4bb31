#include "host/description.h"

#include "base/error.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <utility>

namespace nearfar {
namespace {

using nlohmann::json;

constexpr std::array<std::pair<Need, const char*>, 8> kNeedNames{{{kLogits, "logits"},
                                                                  {kFeatures, "features"},
                                                                  {kNormalizedFeatures, "normalized-features"},
                                                                  {kHeadWeights, "head-weights"},
                                                                  {kMapStatistics, "map-statistics"},
                                                                  {kInputGradients, "input-gradients"},
                                                                  {kTrain, "train"},
                                                                  {kValidation, "validation"}}};

json value_json(const ParamValue& value) {
  return std::visit([](const auto& held) { return json(held); }, value);
}

json bound_json(double bound, ParamType type) {
  if (!std::isfinite(bound)) return nullptr;
  return type == ParamType::integer ? json(static_cast<std::int64_t>(bound)) : json(bound);
}

json param_json(const ParamSpec& spec) {
  json object{{"name", spec.name}, {"type", param_type_name(spec.type)}, {"default", value_json(spec.default_value)}};
  if (spec.type == ParamType::integer || spec.type == ParamType::number) {
    object["minimum"] = bound_json(spec.minimum, spec.type);
    object["maximum"] = bound_json(spec.maximum, spec.type);
  }
  if (spec.type == ParamType::text) object["choices"] = spec.choices;
  object["help"] = spec.help;
  return object;
}

json traits_json(const LossTraitsText& traits) {
  return {{"views", traits.views},
          {"head", traits.head},
          {"normalized_embedding", traits.normalized_embedding},
          {"wants_features", traits.wants_features},
          {"takes_soft_targets", traits.takes_soft_targets},
          {"wants_auxiliary", traits.wants_auxiliary}};
}

LossTraitsText traits_from(const json& object) {
  return {.views = object.at("views"),
          .head = object.at("head"),
          .normalized_embedding = object.at("normalized_embedding"),
          .wants_features = object.at("wants_features"),
          .takes_soft_targets = object.at("takes_soft_targets"),
          .wants_auxiliary = object.at("wants_auxiliary")};
}

ParamType type_from_name(const std::string& name) {
  for (const ParamType type :
       {ParamType::boolean, ParamType::integer, ParamType::number, ParamType::text, ParamType::file}) {
    if (param_type_name(type) == name) return type;
  }
  throw Error(ErrorKind::plugin, fmt::format("plugin description: unknown parameter type '{}'", name));
}

ParamValue value_from(const json& object, ParamType type) {
  switch (type) {
    case ParamType::boolean:
      return object.get<bool>();
    case ParamType::integer:
      return object.get<std::int64_t>();
    case ParamType::number:
      return object.get<double>();
    case ParamType::text:
    case ParamType::file:
      break;
  }
  return object.get<std::string>();
}

ParamSpec param_from(const json& object) {
  ParamSpec spec;
  spec.name = object.at("name").get<std::string>();
  spec.type = type_from_name(object.at("type").get<std::string>());
  spec.default_value = value_from(object.at("default"), spec.type);
  if (spec.type == ParamType::integer || spec.type == ParamType::number) {
    constexpr double kInfinity = std::numeric_limits<double>::infinity();
    spec.minimum = object.at("minimum").is_null() ? -kInfinity : object.at("minimum").get<double>();
    spec.maximum = object.at("maximum").is_null() ? kInfinity : object.at("maximum").get<double>();
  }
  if (spec.type == ParamType::text) spec.choices = object.at("choices").get<std::vector<std::string>>();
  spec.help = object.at("help").get<std::string>();
  return spec;
}

PluginDescription description_from(const json& object) {
  PluginDescription description;
  const auto text = [](const json& from, const char* key) { return from.at(key).get<std::string>(); };
  description.kind = text(object, "kind");
  description.name = text(object, "name");
  description.version = text(object, "version");
  description.summary = text(object, "summary");
  description.reference = text(object, "reference");
  description.needs = object.at("needs").get<std::vector<std::string>>();
  for (const json& param : object.at("params")) description.params.push_back(param_from(param));
  description.sweep = grid_from_text(description.params, text(object, "sweep"), description.name);
  description.tuned = object.at("tuned").get<bool>();
  description.observed_params = object.at("observed_params").get<std::vector<std::string>>();
  description.observes_fitted = object.at("observes_fitted").get<bool>();
  description.source_hash = text(object, "source_hash");
  description.binary_hash = text(object, "binary_hash");
  description.tier = text(object, "tier");
  const json& tag = object.at("build_tag");
  description.build_tag = {text(tag, "torch"), text(tag, "cxx_abi"), text(tag, "compiler"), text(tag, "standard"),
                           text(tag, "sdk")};
  description.path = text(object, "path");
  if (const auto traits = object.find("traits"); traits != object.end()) {
    description.traits = traits_from(*traits);
  }
  return description;
}

}  // namespace

std::string_view plugin_kind_name(PluginKind kind) { return kind == PluginKind::loss ? "loss" : "postprocessor"; }

std::vector<std::string> need_names(Needs needs) {
  std::vector<std::string> names;
  for (const auto& [need, name] : kNeedNames) {
    if ((needs & need) != 0) names.emplace_back(name);
  }
  return names;
}

bool PluginDescription::needs_one(std::string_view need) const { return std::ranges::find(needs, need) != needs.end(); }

json params_to_json(const ParamSchema& schema) {
  json params = json::array();
  for (const ParamSpec& spec : schema) params.push_back(param_json(spec));
  return params;
}

json description_to_json(const PluginDescription& description) {
  const BuildTagText& tag = description.build_tag;
  json document{{"kind", description.kind},
                {"name", description.name},
                {"version", description.version},
                {"summary", description.summary},
                {"reference", description.reference},
                {"needs", description.needs},
                {"params", params_to_json(description.params)},
                {"sweep", grid_text(description.sweep)},
                {"tuned", description.tuned},
                {"observed_params", description.observed_params},
                {"observes_fitted", description.observes_fitted},
                {"source_hash", description.source_hash},
                {"binary_hash", description.binary_hash},
                {"tier", description.tier},
                {"build_tag",
                 {{"torch", tag.torch},
                  {"cxx_abi", tag.cxx_abi},
                  {"compiler", tag.compiler},
                  {"standard", tag.standard},
                  {"sdk", tag.sdk}}},
                {"path", description.path}};
  if (description.traits) document["traits"] = traits_json(*description.traits);
  return document;
}

PluginDescription description_from_json(const json& document) {
  try {
    return description_from(document);
  } catch (const json::exception& error) {
    throw Error(ErrorKind::plugin, fmt::format("not a plugin description: {}", error.what()));
  }
}

}  // namespace nearfar
