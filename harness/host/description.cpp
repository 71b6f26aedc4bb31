#include "host/description.h"

#include "base/error.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <limits>

namespace nearfar {
namespace {

using Json = nlohmann::ordered_json;

Json value_json(const ParamValue& value) {
  return std::visit([](const auto& held) { return Json(held); }, value);
}

Json bound_json(double bound, ParamType type) {
  if (!std::isfinite(bound)) return nullptr;
  return type == ParamType::integer ? Json(static_cast<std::int64_t>(bound)) : Json(bound);
}

Json param_json(const ParamSpec& spec) {
  Json json{{"name", spec.name}, {"type", param_type_name(spec.type)}, {"default", value_json(spec.default_value)}};
  if (spec.type == ParamType::integer || spec.type == ParamType::number) {
    json["minimum"] = bound_json(spec.minimum, spec.type);
    json["maximum"] = bound_json(spec.maximum, spec.type);
  }
  if (spec.type == ParamType::text) json["choices"] = spec.choices;
  json["help"] = spec.help;
  return json;
}

ParamType type_from_name(const std::string& name) {
  for (const ParamType type : {ParamType::boolean, ParamType::integer, ParamType::number, ParamType::text}) {
    if (param_type_name(type) == name) return type;
  }
  throw Error(ErrorKind::plugin, fmt::format("plugin description: unknown parameter type '{}'", name));
}

ParamValue value_from(const Json& json, ParamType type) {
  switch (type) {
    case ParamType::boolean:
      return json.get<bool>();
    case ParamType::integer:
      return json.get<std::int64_t>();
    case ParamType::number:
      return json.get<double>();
    case ParamType::text:
      break;
  }
  return json.get<std::string>();
}

ParamSpec param_from(const Json& json) {
  ParamSpec spec;
  spec.name = json.at("name").get<std::string>();
  spec.type = type_from_name(json.at("type").get<std::string>());
  spec.default_value = value_from(json.at("default"), spec.type);
  if (spec.type == ParamType::integer || spec.type == ParamType::number) {
    constexpr double kInfinity = std::numeric_limits<double>::infinity();
    spec.minimum = json.at("minimum").is_null() ? -kInfinity : json.at("minimum").get<double>();
    spec.maximum = json.at("maximum").is_null() ? kInfinity : json.at("maximum").get<double>();
  }
  if (spec.type == ParamType::text) spec.choices = json.at("choices").get<std::vector<std::string>>();
  spec.help = json.at("help").get<std::string>();
  return spec;
}

PluginDescription description_from(const Json& json) {
  PluginDescription description;
  const auto text = [](const Json& from, const char* key) { return from.at(key).get<std::string>(); };
  description.kind = text(json, "kind");
  description.name = text(json, "name");
  description.version = text(json, "version");
  description.summary = text(json, "summary");
  description.reference = text(json, "reference");
  description.needs = json.at("needs").get<std::vector<std::string>>();
  for (const Json& param : json.at("params")) description.params.push_back(param_from(param));
  description.sweep = grid_from_text(description.params, text(json, "sweep"), description.name);
  description.tuned = json.at("tuned").get<bool>();
  description.observed_params = json.at("observed_params").get<std::vector<std::string>>();
  description.observes_fitted = json.at("observes_fitted").get<bool>();
  description.source_hash = text(json, "source_hash");
  description.binary_hash = text(json, "binary_hash");
  const Json& tag = json.at("build_tag");
  description.build_tag = {text(tag, "torch"), text(tag, "cxx_abi"), text(tag, "compiler"), text(tag, "standard"),
                           text(tag, "sdk")};
  description.path = text(json, "path");
  if (const auto traits = json.find("traits"); traits != json.end()) {
    description.traits = LossTraitsText{traits->at("views").get<int>(), text(*traits, "head"),
                                        traits->at("normalized_embedding").get<bool>()};
  }
  return description;
}

}  // namespace

bool PluginDescription::needs_one(std::string_view need) const { return std::ranges::find(needs, need) != needs.end(); }

std::string description_json(const PluginDescription& description) {
  const BuildTagText& tag = description.build_tag;
  Json params = Json::array();
  for (const ParamSpec& spec : description.params) params.push_back(param_json(spec));
  Json json{{"kind", description.kind},
            {"name", description.name},
            {"version", description.version},
            {"summary", description.summary},
            {"reference", description.reference},
            {"needs", description.needs},
            {"params", params},
            {"sweep", grid_text(description.sweep)},
            {"tuned", description.tuned},
            {"observed_params", description.observed_params},
            {"observes_fitted", description.observes_fitted},
            {"source_hash", description.source_hash},
            {"binary_hash", description.binary_hash},
            {"build_tag",
             {{"torch", tag.torch},
              {"cxx_abi", tag.cxx_abi},
              {"compiler", tag.compiler},
              {"standard", tag.standard},
              {"sdk", tag.sdk}}},
            {"path", description.path}};
  if (const auto& traits = description.traits) {
    json["traits"] = {
        {"views", traits->views}, {"head", traits->head}, {"normalized_embedding", traits->normalized_embedding}};
  }
  // A stranger's text may be in any encoding: replaced, not thrown at.
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

PluginDescription description_from_json(std::string_view json) {
  try {
    return description_from(Json::parse(json));
  } catch (const Json::exception& error) {
    throw Error(ErrorKind::plugin, fmt::format("not a plugin description: {}", error.what()));
  }
}

}  // namespace nearfar
