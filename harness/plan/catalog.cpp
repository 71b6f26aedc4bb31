#include "plan/catalog.h"

#include "base/error.h"
#include "base/locations.h"
#include "base/text.h"
#include "host/choose.h"
#include "wire/jobs.h"

#include <fmt/format.h>

namespace nearfar {

namespace {

PluginList list_of(const std::vector<PluginDescription>& plugins) {
  PluginList list;
  for (const PluginDescription& plugin : plugins) list.push_back(&plugin);
  return list;
}

}  // namespace

std::size_t Catalog::find(std::string_view kind, std::string_view name, std::string_view where) const {
  const std::string at = where.empty() ? "" : std::string(where) + ": ";
  const PluginList list = list_of(plugins);
  const WantedPlugin wanted = wanted_plugin(name);
  if (const auto found = choose_plugin(list, kind, wanted)) return *found;
  for (const wire::Refusal& refusal : refusals) {
    const bool meant = refusal.plugin.empty()
                           ? plugin_key(std::filesystem::path(refusal.path).stem().string()) == wanted.name
                           : refusal.plugin == fmt::format("{} {}", kind, wanted.name);
    if (meant) throw Error(ErrorKind::plugin, at + refusal.message);
  }
  if (const std::string why = no_such_version(list, kind, wanted); !why.empty())
    throw Error(ErrorKind::config, at + why);
  std::vector<std::string> names;
  for (const PluginDescription* plugin : taken()) {
    if (plugin->kind == kind) names.push_back(plugin->name);
  }
  const std::string near = suggestion(wanted.name, names);
  throw Error(ErrorKind::config,
              fmt::format("{}there is no {} '{}'{} Known: {}. Folders with more: --plugin-dir or NEARFAR_PLUGIN_PATH.",
                          at, kind, wanted.name, near.empty() ? "." : near, join(names, ", ")));
}

std::vector<const PluginDescription*> Catalog::taken() const {
  const PluginList list = list_of(plugins);
  std::vector<const PluginDescription*> bare;
  for (std::size_t i = 0; i < list.size(); ++i) {
    if (choose_plugin(list, list[i]->kind, {.name = list[i]->name}) == i) bare.push_back(list[i]);
  }
  return bare;
}

Catalog read_catalog(const AskEngine& ask, const std::vector<std::filesystem::path>& directories,
                     const std::vector<LossChoice>& losses) {
  wire::InspectJob job{.directories = {}, .installed = installed_plugins().string(), .losses = {}};
  for (const auto& directory : directories) job.directories.push_back(std::filesystem::absolute(directory).string());
  for (const LossChoice& loss : losses) job.losses.push_back({loss.wanted(), loss.params});
  wire::Inspection found;
  wire::read(ask("inspect", wire::to_json(job)), found, "inspection");
  Catalog catalog{.plugins = {},
                  .refusals = std::move(found.refusals),
                  .torch_version = found.torch,
                  .architectures = std::move(found.architectures),
                  .with_maps = std::move(found.with_maps),
                  .losses = std::move(found.losses)};
  for (const wire::Json& plugin : found.plugins) catalog.plugins.push_back(description_from_json(plugin));
  return catalog;
}

}  // namespace nearfar
