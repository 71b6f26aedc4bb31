#include "plan/identity.h"

#include "base/hash.h"
#include "config/params_json.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace nearfar {
using nlohmann::json;

std::string json_object(std::vector<std::pair<std::string_view, std::string>> parts) {
  std::sort(parts.begin(), parts.end());
  std::string text = "{";
  for (const auto& [name, part] : parts) {
    if (part.empty()) continue;
    if (text.size() > 1) text += ',';
    text += '"';
    text += name;
    text += "\":";
    text += part;
  }
  return text + '}';
}

std::string json_text(std::string_view text) { return json(text).dump(-1, ' ', false, json::error_handler_t::replace); }

void identify(Cell& cell, std::string identity) {
  cell.key = sha256(identity);
  cell.identity = std::move(identity);
}

std::vector<std::pair<std::string_view, std::string>> common_parts(const Experiment& experiment) {
  return {{"numerics", std::to_string(kNumericsVersion)},
          {"dtype", experiment.dtype == "float32" ? "" : json_text(experiment.dtype)},
          {"deterministic", experiment.deterministic ? "" : "false"},
          {"on_unreadable", experiment.on_unreadable == "fail" ? "" : json_text(experiment.on_unreadable)}};
}

std::string images_part(const BenchmarkPlan& benchmark, const std::vector<std::string>& sets) {
  json hashes = json::object();
  for (const std::string& set : sets) hashes[set] = benchmark.entry(set).hash;
  return json_object({{"pixels", benchmark.pixels}, {"sets", hashes.dump()}});
}

std::map<std::string, std::string> named_files(const ParamSchema& schema, const ParamMap& params) {
  std::map<std::string, std::string> files;
  for (const ParamSpec& spec : schema) {
    const auto found = params.find(spec.name);
    if (spec.type != ParamType::file || found == params.end()) continue;
    const auto* path = std::get_if<std::string>(&found->second);
    if (path != nullptr && !path->empty() && std::filesystem::is_regular_file(*path))
      files[spec.name] = sha256_file(*path);
  }
  return files;
}

std::string plugin_part(const PluginDescription& plugin, const ParamMap& params) {
  ParamMap own = non_default_params(plugin.params, params);
  for (const auto& [name, hash] : named_files(plugin.params, own)) own[name] = "sha256:" + hash;
  return json_object({{"name", json_text(plugin.name)},
                      {"version", json_text(plugin.version)},
                      {"source", json_text(plugin.source_hash)},
                      {"params", own.empty() ? "" : params_to_json(own).dump()}});
}

}  // namespace nearfar
