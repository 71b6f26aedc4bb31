#pragma once
/// What is known of a plugin without calling it, as plain data and as JSON. Torch-free (library nearfar::host_text):
/// the engine loads the plugin and sends this, the parent plans with it. Values; safe from any thread.
#include "host/grid.h"
#include "host/params.h"

#include <nearfar/plugin_text.h>

#include <nlohmann/json_fwd.hpp>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace nearfar {

/// "postprocessor", "loss".
std::string_view plugin_kind_name(PluginKind kind);
/// The names in PluginDescription::needs, in the order of the bits.
std::vector<std::string> need_names(Needs needs);

/// nearfar::BuildTag with its own memory.
struct BuildTagText {
  std::string torch, cxx_abi, compiler, standard, sdk;
};

/// nearfar::LossTraits without torch.
struct LossTraitsText {
  int views = 1;
  std::string head = "linear";  ///< "linear" or "embedding"
  bool normalized_embedding = false, wants_features = false, takes_soft_targets = false, wants_auxiliary = false;

  bool operator==(const LossTraitsText&) const = default;
};

struct PluginDescription {
  std::string path;
  std::string kind;  ///< "postprocessor" or "loss"
  std::string name, version, summary, reference;
  std::vector<std::string> needs;  ///< "logits", "features", "normalized-features", "head-weights", "map-statistics",
                                   ///< "input-gradients", "train", "validation"
  ParamSchema params;
  ParamGrid sweep;                           ///< what `tune` searches by default; empty = nothing
  bool tuned = false;                        ///< the method's reference searches it by default
  std::vector<std::string> observed_params;  ///< of observe()
  bool observes_fitted = false;
  std::string source_hash;     ///< of its sources and the SDK headers: part of a cell's key
  std::string tier = "exact";  ///< "exact", "stable" or "c": what it is built on (docs/plugin-reference.md)
  std::string binary_hash;     ///< SHA-256 of the .so: stored with a run, not part of the key
  BuildTagText build_tag;
  std::optional<LossTraitsText> traits;  ///< losses only: for the default parameters

  bool needs_one(std::string_view need) const;  ///< is `need` among needs
};

/// {"kind","name","version","summary","reference","needs":[…],"params":[{"name","type","default","minimum","maximum","choices","help"}],
///  "sweep":"k=50,100","tuned","observed_params":[],"observes_fitted","source_hash","binary_hash","tier","build_tag":{"torch","cxx_abi","compiler","standard","sdk"},"path",
///  "traits":{"views","head","normalized_embedding","wants_features","takes_soft_targets","wants_auxiliary"}}.
/// minimum and maximum only for integer and number (null where infinite), choices only for text, traits only for
/// losses. A stranger's text may be in any encoding: who dumps the tree replaces what is not UTF-8.
nlohmann::json description_to_json(const PluginDescription& description);

/// The array "params" of it.
nlohmann::json params_to_json(const ParamSchema& schema);

/// The reverse. Throws Error(plugin) where the tree is not such a document.
PluginDescription description_from_json(const nlohmann::json& document);

}  // namespace nearfar
