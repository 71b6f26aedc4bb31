#pragma once
/// The folders of plugins that a command names: what PluginSearch::directories is made of, for every verb that looks
/// plugins up. Stated for users in docs/plugin-versions.md.
#include "cli/verbs.h"

#include <filesystem>
#include <string>
#include <vector>

namespace nearfar {

struct PluginFolder {
  std::filesystem::path path;  ///< absolute
  std::string from;            ///< "--plugin-dir", "project", "NEARFAR_PLUGIN_PATH" or "installation"
};

/// plugins/ beside each experiment file, then in the working folder; those that hold a .so, each once.
Paths project_folders(const Paths& experiment_files);

/// --plugin-dir's as they are given, then the project's.
Paths plugin_folders(const Paths& plugin_dirs, const Paths& experiment_files);

/// The whole search path, in its order; a folder may be missing.
std::vector<PluginFolder> search_path(const Paths& plugin_dirs, const Paths& experiment_files);

}  // namespace nearfar
