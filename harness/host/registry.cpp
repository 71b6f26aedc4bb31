#include "base/error.h"
#include "base/text.h"
#include "host/choose.h"
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
                  fmt::format("plugin folder {} does not exist; correct --plugin-dir, or for a stored experiment "
                              "'directories' in [plugins] of its profile",
                              directory.string()));
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
  std::vector<LoadedPlugin> found;
  for (const fs::path& file : libraries(directory)) {
    try {
      found.push_back(load_plugin(file));
    } catch (const Error& error) {
      refusals_.push_back({file, error.what()});
    }
  }
  keep(std::move(found));
}

/// Which of two files of one version was measured with, nobody could tell: neither is taken.
void PluginRegistry::keep(std::vector<LoadedPlugin> of_folder) {
  const auto disagree = [](const LoadedPlugin& a, const LoadedPlugin& b) {
    return a.kind() == b.kind() && a.name() == b.name() && compare_versions(a.version(), b.version()) == 0 &&
           a.description().binary_hash != b.description().binary_hash;
  };
  for (const LoadedPlugin& plugin : of_folder) {
    const auto other = std::ranges::find_if(of_folder, [&](const LoadedPlugin& one) { return disagree(plugin, one); });
    if (other == of_folder.end()) {
      plugins_.push_back(plugin);
      continue;
    }
    refusals_.push_back(
        {plugin.description().path,
         fmt::format("plugin {}: {} '{}' {} is also in {}, with other contents (SHA-256 {} here, {} there); expected "
                     "one file a version in a folder; remove one of the two, or give the newer one a higher version",
                     plugin.description().path, plugin_kind_name(plugin.kind()), plugin.name(), plugin.version(),
                     other->description().path, plugin.description().binary_hash.substr(0, 12),
                     other->description().binary_hash.substr(0, 12)),
         fmt::format("{} {}", plugin_kind_name(plugin.kind()), plugin.name())});
  }
}

const LoadedPlugin& PluginRegistry::find(PluginKind kind, std::string_view name) const {
  const std::string_view kind_name = plugin_kind_name(kind);
  const WantedPlugin wanted = wanted_plugin(name);
  PluginList descriptions;
  for (const LoadedPlugin& plugin : plugins_) descriptions.push_back(&plugin.description());
  if (const auto found = choose_plugin(descriptions, kind_name, wanted)) return plugins_[*found];
  const auto refused = std::ranges::find_if(refusals_, [&](const Refusal& r) {
    return r.plugin.empty() ? plugin_key(r.path.stem().string()) == wanted.name
                            : r.plugin == fmt::format("{} {}", kind_name, wanted.name);
  });
  if (refused != refusals_.end()) throw Error(ErrorKind::plugin, refused->message);
  if (const std::string why = no_such_version(descriptions, kind_name, wanted); !why.empty())
    throw Error(ErrorKind::config, why);
  std::vector<std::string> names;
  for (const LoadedPlugin& plugin : plugins_) {
    if (plugin.kind() == kind) names.push_back(plugin.name());
  }
  std::ranges::sort(names);
  names.erase(std::ranges::unique(names).begin(), names.end());
  std::vector<std::string> folders;
  for (const fs::path& folder : searched_) folders.push_back(folder.string());
  throw Error(
      ErrorKind::config,
      fmt::format("no {} '{}'{}; there {}: {} (searched {})", kind_name, wanted.name, suggestion(wanted.name, names),
                  names.size() == 1 ? "is" : "are", names.empty() ? "none" : join(names, ", "),
                  folders.empty() ? "no folder; give --plugin-dir or NEARFAR_PLUGIN_PATH" : join(folders, ", ")));
}

}  // namespace nearfar
