#pragma once
/// What the engine knows and a plan needs: plugins, networks, traits of losses. The parent never loads a plugin.
#include "config/experiment.h"
#include "host/description.h"
#include "wire/facts.h"

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace nearfar {

/// Asks an engine: verb and job in, the document of its one result out. What the engine refuses is thrown as the Error
/// it describes. work/engine_client.h has the real one; tests bring a fake.
using AskEngine = std::function<wire::Json(const std::string& verb, const wire::Json& job)>;

struct Catalog {
  std::vector<PluginDescription> plugins = {};  ///< in search order; several of one name where there are
  std::vector<wire::Refusal> refusals = {};
  std::string torch_version = {};
  std::vector<std::string> architectures = {};  ///< that can be trained
  std::vector<std::string> with_maps = {};      ///< architectures whose feature maps can be looked at
  std::vector<wire::LossAnswer> losses = {};    ///< traits of Plan::losses with their parameters, in that order

  /// Index into `plugins`; of several the one that host/choose.h says. `name` may have a requirement: "knn@>=1.2".
  /// Error(plugin) where a library of that name was refused; Error(config) where no version is accepted, with the
  /// versions there are, and where there is none, with the nearest name and all names. Messages begin with `where`
  /// (may be empty). `kind` is "loss" or "postprocessor".
  std::size_t find(std::string_view kind, std::string_view name, std::string_view where) const;

  /// The plugins whose bare names mean them: each name once.
  std::vector<const PluginDescription*> taken() const;
};

/// One question to the engine (about 0.3 s). `directories` are PluginSearch's (host/plugin.h); NEARFAR_PLUGIN_PATH and
/// the installed folder follow.
Catalog read_catalog(const AskEngine& ask, const std::vector<std::filesystem::path>& directories,
                     const std::vector<LossChoice>& losses = {});

}  // namespace nearfar
