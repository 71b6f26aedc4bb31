#pragma once
/// Finding and loading plugins (Boost.DLL, rtld_now | rtld_local). A loaded library stays for the life of the process:
/// a tensor's deleter or an exception's type may live in it. Load from one thread; a LoadedPlugin may then be used from
/// any.
#include "host/description.h"

#include <nearfar/c.h>
#include <nearfar/plugin.h>

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace nearfar {

/// A plugin that passed every check of load_plugin(). A value; copies refer to the same library.
class LoadedPlugin {
 public:
  /// Of tier exact, and of the tiers behind the C descriptor. What is given by reference lives as long as the process.
  LoadedPlugin(const NearfarPluginInfo& info, PluginDescription description)
      : info_(&info), kind_(info.kind), needs_(info.text.needs), description_(std::move(description)) {}
  LoadedPlugin(const nearfar_plugin& plugin, PluginDescription description)
      : c_plugin_(&plugin),
        kind_(static_cast<PluginKind>(plugin.kind)),
        needs_(plugin.needs),
        description_(std::move(description)) {}

  /// Everything that can be told about it; `traits` is filled only by describe().
  const PluginDescription& description() const { return description_; }
  const std::string& name() const { return description_.name; }
  const std::string& version() const { return description_.version; }
  const ParamSchema& params() const { return description_.params; }
  PluginKind kind() const { return kind_; }
  Needs needs() const { return needs_; }
  /// "postprocessor 'knn' (path/knn.so)", for messages.
  std::string label() const;
  /// The plugin's own descriptor, for host/call.h: one of the two, the other is nullptr.
  const NearfarPluginInfo* info() const { return info_; }
  const nearfar_plugin* c_plugin() const { return c_plugin_; }

 private:
  const NearfarPluginInfo* info_ = nullptr;
  const nearfar_plugin* c_plugin_ = nullptr;
  PluginKind kind_;
  Needs needs_;
  PluginDescription description_;
};

/// First plugin_fault() of the file (host/plugin_file.h), before any of its code runs; then, as a second line:
/// loadable, entry symbol, magic, API version, build tag, kind and its functions, name and version, parameter table,
/// and the same in the note. Each refusal is Error(plugin) with the path, what was found, what is wanted and how to fix
/// it; nothing but plain C data has been read by then.
LoadedPlugin load_plugin(const std::filesystem::path& file);

/// What a loss wants with these parameters; no loss is created. Error(config) for a bad parameter, Error(plugin) where
/// the plugin's function fails or is no loss's.
LossTraitsText traits_of(const LoadedPlugin& plugin, const ParamMap& params);

/// The description with a loss's traits for its default parameters. Throws as traits_of().
PluginDescription describe(const LoadedPlugin& plugin);

/// Where plugins are looked for, first match first.
struct PluginSearch {
  /// --plugin-dir's, then the project's (cli/plugin_folders.h). Error(config) if one does not exist.
  std::vector<std::filesystem::path> directories;
  bool environment =
      true;  ///< then the folders in NEARFAR_PLUGIN_PATH, separated by ':'; missing ones are noted in refusals
  std::filesystem::path installed;  ///< then the build's or installation's own folder; may be empty or missing
};

/// Every plugin found: *.so of each folder in name order, whatever the files are called. Several of one kind and name
/// are all kept, and find() says which is meant (host/choose.h). Kept aside are libraries that are refused, and
/// libraries of one folder that give one version of a plugin with different contents: none of them is taken.
class PluginRegistry {
 public:
  struct Refusal {
    std::filesystem::path path;
    std::string message;
    std::string plugin = {};  ///< "postprocessor knn" where it is known what the library gives
  };

  explicit PluginRegistry(const PluginSearch& search);

  const std::vector<LoadedPlugin>& plugins() const { return plugins_; }  ///< in search order
  const std::vector<Refusal>& refusals() const { return refusals_; }

  /// `name` in either spelling (`temp_scaling`, `temp-scaling`), perhaps with a requirement (`knn@>=1.2`).
  /// Error(plugin) with the refusal if a library of that plugin or file name was refused, else Error(config): for a
  /// version with the versions there are, for a name with a suggestion, the names there are, and the folders searched.
  /// The reference lives as long as the registry.
  const LoadedPlugin& find(PluginKind kind, std::string_view name) const;

 private:
  void scan(const std::filesystem::path& directory);
  void keep(std::vector<LoadedPlugin> of_folder);

  std::vector<std::filesystem::path> searched_;
  std::vector<LoadedPlugin> plugins_;
  std::vector<Refusal> refusals_;
};

}  // namespace nearfar
