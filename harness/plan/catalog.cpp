#include "plan/catalog.h"

#include "base/error.h"
#include "base/locations.h"
#include "base/text.h"
#include "wire/jobs.h"

#include <fmt/format.h>

namespace nearfar {

std::size_t Catalog::find(std::string_view kind, std::string_view name, std::string_view where) const {
  const std::string key = plugin_key(name), at = where.empty() ? "" : std::string(where) + ": ";
  std::vector<std::string> names;
  for (std::size_t i = 0; i < plugins.size(); ++i) {
    if (plugins[i].kind != kind) continue;
    if (plugins[i].name == key) return i;
    names.push_back(plugins[i].name);
  }
  for (const auto& [path, message] : refusals) {
    if (plugin_key(std::filesystem::path(path).stem().string()) == key) throw Error(ErrorKind::plugin, at + message);
  }
  const std::string near = suggestion(key, names);
  throw Error(ErrorKind::config,
              fmt::format("{}there is no {} '{}'{} Known: {}. Folders with more: --plugin-dir or NEARFAR_PLUGIN_PATH.",
                          at, kind, name, near.empty() ? "." : near, join(names, ", ")));
}

Catalog read_catalog(const AskEngine& ask, const std::vector<std::filesystem::path>& directories,
                     const std::vector<LossChoice>& losses) {
  wire::InspectJob job{.directories = {}, .installed = installed_plugins().string(), .losses = {}};
  for (const auto& directory : directories) job.directories.push_back(std::filesystem::absolute(directory).string());
  for (const LossChoice& loss : losses) job.losses.push_back({loss.name, loss.params});
  wire::Inspection found;
  wire::read(ask("inspect", wire::to_json(job)), found, "inspection");
  Catalog catalog{.plugins = {},
                  .refusals = {},
                  .torch_version = found.torch,
                  .architectures = std::move(found.architectures),
                  .with_maps = std::move(found.with_maps),
                  .losses = std::move(found.losses)};
  for (const wire::Json& plugin : found.plugins) catalog.plugins.push_back(description_from_json(plugin));
  for (wire::Refusal& refusal : found.refusals) {
    catalog.refusals.emplace_back(std::move(refusal.path), std::move(refusal.message));
  }
  return catalog;
}

}  // namespace nearfar
