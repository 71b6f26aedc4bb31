#include "run/catalog.h"

#include "base/error.h"
#include "base/text.h"
#include "run/child.h"
#include "run/locations.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace nearfar {
using nlohmann::json;

const PluginDescription& Catalog::find(std::string_view kind, std::string_view name, std::string_view where) const {
  const std::string key = plugin_key(name), at = where.empty() ? "" : std::string(where) + ": ";
  std::vector<std::string> names;
  for (const PluginDescription& plugin : plugins) {
    if (plugin.kind != kind) continue;
    if (plugin.name == key) return plugin;
    names.push_back(plugin.name);
  }
  for (const auto& [path, message] : refusals) {
    if (plugin_key(std::filesystem::path(path).stem().string()) == key) throw Error(ErrorKind::plugin, at + message);
  }
  const std::string near = suggestion(key, names);
  throw Error(ErrorKind::config,
              fmt::format("{}there is no {} '{}'{} Known: {}. Folders with more: --plugin-dir or NEARFAR_PLUGIN_PATH.",
                          at, kind, name, near.empty() ? "." : near, join(names, ", ")));
}

Catalog read_catalog(const std::vector<std::filesystem::path>& directories) {
  json job{{"directories", json::array()}, {"installed", installed_plugins().string()}};
  for (const auto& directory : directories) job["directories"].push_back(std::filesystem::absolute(directory).string());
  const json document = json::parse(run_engine("inspect", job.dump()));
  Catalog catalog;
  catalog.torch_version = document.at("torch").get<std::string>();
  for (const json& plugin : document.at("plugins")) catalog.plugins.push_back(description_from_json(plugin.dump()));
  for (const json& refusal : document.at("refusals"))
    catalog.refusals.emplace_back(refusal.at("path").get<std::string>(), refusal.at("message").get<std::string>());
  catalog.with_maps = document.at("with_maps").get<std::vector<std::string>>();
  return catalog;
}

}  // namespace nearfar
