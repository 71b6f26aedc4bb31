#pragma once
/// The plugins there are, as the engine describes them: the parent never loads one.
#include "host/description.h"

#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace nearfar {

struct Catalog {
  std::vector<PluginDescription> plugins;                     ///< in search order
  std::vector<std::pair<std::string, std::string>> refusals;  ///< path, why
  std::string torch_version;
  std::vector<std::string> with_maps;  ///< architectures whose feature maps can be looked at

  /// Error(plugin) where a library of that name was refused, Error(config) where there is none, with the nearest name
  /// and all names. Messages begin with `where` (may be empty). `kind` is "loss" or "postprocessor".
  const PluginDescription& find(std::string_view kind, std::string_view name, std::string_view where) const;
};

/// Asks the engine (about 0.3 s). `directories` are --plugin-dir's; NEARFAR_PLUGIN_PATH and the installed folder
/// follow.
Catalog read_catalog(const std::vector<std::filesystem::path>& directories);

}  // namespace nearfar
