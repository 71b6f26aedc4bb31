#include "cli/plugin_folders.h"

#include "base/locations.h"
#include "base/text.h"

#include <algorithm>
#include <cstdlib>

namespace nearfar {
namespace {
namespace fs = std::filesystem;

bool holds_plugins(const fs::path& folder) {
  std::error_code failure;
  for (fs::directory_iterator entry(folder, failure), end; !failure && entry != end; entry.increment(failure)) {
    if (entry->path().extension() == ".so") return true;
  }
  return false;
}

}  // namespace

Paths project_folders(const Paths& experiment_files) {
  Paths candidates;
  for (const fs::path& file : experiment_files) candidates.push_back(fs::absolute(file).parent_path() / "plugins");
  candidates.push_back(fs::current_path() / "plugins");
  Paths found;
  for (const fs::path& candidate : candidates) {
    const fs::path folder = candidate.lexically_normal();
    if (std::ranges::find(found, folder) == found.end() && holds_plugins(folder)) found.push_back(folder);
  }
  return found;
}

Paths plugin_folders(const Paths& plugin_dirs, const Paths& experiment_files) {
  Paths folders = plugin_dirs;
  const Paths project = project_folders(experiment_files);
  folders.insert(folders.end(), project.begin(), project.end());
  return folders;
}

std::vector<PluginFolder> search_path(const Paths& plugin_dirs, const Paths& experiment_files) {
  std::vector<PluginFolder> folders;
  for (const fs::path& path : plugin_dirs) folders.push_back({fs::absolute(path), "--plugin-dir"});
  for (const fs::path& path : project_folders(experiment_files)) folders.push_back({path, "project"});
  const char* environment = std::getenv("NEARFAR_PLUGIN_PATH");
  for (const std::string& part : split(environment != nullptr ? environment : "", ':')) {
    if (!part.empty()) folders.push_back({fs::absolute(part), "NEARFAR_PLUGIN_PATH"});
  }
  folders.push_back({fs::absolute(installed_plugins()), "installation"});
  return folders;
}

}  // namespace nearfar
