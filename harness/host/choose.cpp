#include "host/choose.h"

#include "base/error.h"
#include "base/text.h"

#include <fmt/format.h>

#include <filesystem>

namespace nearfar {
namespace {

std::string folder_of(const PluginDescription& plugin) {
  return std::filesystem::path(plugin.path).parent_path().string();
}

}  // namespace

std::optional<std::size_t> choose_plugin(const PluginList& plugins, std::string_view kind, const WantedPlugin& wanted) {
  const VersionRequirement requirement =
      wanted.requirement.empty() ? VersionRequirement() : VersionRequirement(wanted.requirement);
  std::optional<std::size_t> chosen;
  for (std::size_t i = 0; i < plugins.size(); ++i) {
    const PluginDescription& plugin = *plugins[i];
    if (plugin.kind != kind || plugin.name != wanted.name || !requirement.accepts(plugin.version)) continue;
    if (!chosen) {
      chosen = i;
    } else if (folder_of(plugin) == folder_of(*plugins[*chosen]) &&
               compare_versions(plugin.version, plugins[*chosen]->version) > 0) {
      chosen = i;
    }
  }
  return chosen;
}

std::string no_such_version(const PluginList& plugins, std::string_view kind, const WantedPlugin& wanted) {
  std::vector<std::string> versions;
  for (const PluginDescription* plugin : plugins) {
    if (plugin->kind == kind && plugin->name == wanted.name)
      versions.push_back(fmt::format("{} ({})", plugin->version, plugin->path));
  }
  if (versions.empty()) return "";
  return fmt::format("no version of {} '{}' satisfies '@{}'; there {}: {}", kind, wanted.name, wanted.requirement,
                     versions.size() == 1 ? "is" : "are", join(versions, ", "));
}

std::string hidden_by(const PluginList& plugins, std::size_t index) {
  const PluginDescription& plugin = *plugins[index];
  const std::size_t taken = *choose_plugin(plugins, plugin.kind, {.name = plugin.name});
  if (taken == index) return "";
  const PluginDescription& other = *plugins[taken];
  const bool one_folder = folder_of(plugin) == folder_of(other);
  const WantedPlugin exactly{.name = plugin.name, .requirement = "=" + plugin.version};
  // A stranger's version may be one that no requirement can spell.
  std::optional<std::size_t> reached;
  try {
    reached = choose_plugin(plugins, plugin.kind, exactly);
  } catch (const Error&) {
  }
  const std::string why = !one_folder ? "whose folder comes first"
                          : compare_versions(other.version, plugin.version) == 0
                              ? "which has the same contents"
                              : fmt::format("whose version {} is higher", other.version);
  const std::string how = reached == index ? fmt::format("; {}@{} is this one", plugin.name, plugin.version)
                                           : "; no requirement leads to this one";
  return fmt::format("hidden by {}, {}{}", other.path, why, how);
}

}  // namespace nearfar
