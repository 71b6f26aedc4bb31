#include "base/error.h"
#include "base/text.h"
#include "host/plugin.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

namespace nearfar {
namespace {

namespace fs = std::filesystem;

bool is_folder(const fs::path& path) {
  std::error_code failure;
  return fs::is_directory(path, failure);
}

std::vector<fs::path> environment_directories() {
  std::vector<fs::path> result;
  const char* value = std::getenv("NEARFAR_PLUGIN_PATH");
  for (const std::string& part : split(value != nullptr ? value : "", ':')) {
    if (!part.empty()) result.emplace_back(part);
  }
  return result;
}

std::vector<fs::path> libraries(const fs::path& directory) {
  std::vector<fs::path> result;
  std::error_code failure;
  for (fs::directory_iterator entry(directory, failure), end; !failure && entry != end; entry.increment(failure)) {
    if (entry->path().extension() == ".so") result.push_back(entry->path());
  }
  if (failure)
    throw Error(ErrorKind::plugin, fmt::format("plugin folder {}: {}", directory.string(), failure.message()));
  std::ranges::sort(result);
  return result;
}

}  // namespace

PluginRegistry::PluginRegistry(const PluginSearch& search) {
  for (const fs::path& directory : search.directories) {
    if (!is_folder(directory)) {
      throw Error(ErrorKind::config,
                  fmt::format("plugin folder {} does not exist; correct --plugin-dir", directory.string()));
    }
    scan(directory);
  }
  if (search.environment) {
    for (const fs::path& directory : environment_directories()) {
      if (is_folder(directory)) {
        scan(directory);
      } else {
        refusals_.push_back({directory, fmt::format("plugin folder {} does not exist; correct NEARFAR_PLUGIN_PATH",
                                                    directory.string())});
      }
    }
  }
  if (!search.installed.empty() && is_folder(search.installed)) scan(search.installed);
}

void PluginRegistry::scan(const fs::path& directory) {
  const auto same = [&](const fs::path& other) {
    return fs::weakly_canonical(other) == fs::weakly_canonical(directory);
  };
  if (std::ranges::any_of(searched_, same)) return;  // named twice: nothing new, and not a duplicate to complain of
  searched_.push_back(directory);
  for (const fs::path& file : libraries(directory)) {
    try {
      LoadedPlugin plugin = load_plugin(file);
      if (const LoadedPlugin* earlier = look_up(plugin.kind(), plugin.name())) {
        refusals_.push_back(
            {file,
             fmt::format("plugin {}: {} '{}' is already given by {}, which comes first in the search path",
                         file.string(), plugin_kind_name(plugin.kind()), plugin.name(), earlier->description().path)});
      } else {
        plugins_.push_back(std::move(plugin));
      }
    } catch (const Error& error) {
      refusals_.push_back({file, error.what()});
    }
  }
}

const LoadedPlugin* PluginRegistry::look_up(PluginKind kind, std::string_view name) const {
  const auto found =
      std::ranges::find_if(plugins_, [&](const LoadedPlugin& p) { return p.kind() == kind && p.name() == name; });
  return found == plugins_.end() ? nullptr : &*found;
}

const LoadedPlugin& PluginRegistry::find(PluginKind kind, std::string_view name) const {
  const std::string key = plugin_key(name);
  if (const LoadedPlugin* found = look_up(kind, key)) return *found;
  const auto refused =
      std::ranges::find_if(refusals_, [&](const Refusal& r) { return plugin_key(r.path.stem().string()) == key; });
  if (refused != refusals_.end()) throw Error(ErrorKind::plugin, refused->message);
  std::vector<std::string> names;
  for (const LoadedPlugin& plugin : plugins_) {
    if (plugin.kind() == kind) names.push_back(plugin.name());
  }
  std::ranges::sort(names);
  std::vector<std::string> folders;
  for (const fs::path& folder : searched_) folders.push_back(folder.string());
  throw Error(
      ErrorKind::config,
      fmt::format("no {} '{}'{}; there {}: {} (searched {})", plugin_kind_name(kind), name, suggestion(key, names),
                  names.size() == 1 ? "is" : "are", names.empty() ? "none" : join(names, ", "),
                  folders.empty() ? "no folder; give --plugin-dir or NEARFAR_PLUGIN_PATH" : join(folders, ", ")));
}

}  // namespace nearfar
