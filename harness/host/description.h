#pragma once
/// What is known of a plugin without calling it, as plain data and as JSON. Torch-free (library nearfar::host_text):
/// the engine loads the plugin and sends this text, the parent plans with it. Values; safe from any thread.
#include "host/grid.h"
#include "host/params.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace nearfar {

/// nearfar::BuildTag with its own memory.
struct BuildTagText {
  std::string torch, cxx_abi, compiler, standard, sdk;
};

/// nearfar::LossTraits as text, read from the loss created with its defaults.
struct LossTraitsText {
  int views = 1;
  std::string head = "linear";  ///< "linear" or "embedding"
  bool normalized_embedding = false;
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
  std::string source_hash;  ///< of its sources and the SDK headers: part of a cell's key
  std::string binary_hash;  ///< SHA-256 of the .so: stored with a run, not part of the key
  BuildTagText build_tag;
  std::optional<LossTraitsText> traits;  ///< losses only

  bool needs_one(std::string_view need) const;  ///< is `need` among needs
};

/// {"kind","name","version","summary","reference","needs":[…],"params":[{"name","type","default","minimum","maximum","choices","help"}],
///  "sweep":"k=50,100","tuned","observed_params":[],"observes_fitted","source_hash","binary_hash","build_tag":{"torch","cxx_abi","compiler","standard","sdk"},"path",
///  "traits":{"views","head","normalized_embedding"}}.
/// minimum and maximum only for integer and number (null where infinite), choices only for text, traits only for
/// losses. One line.
std::string description_json(const PluginDescription& description);

/// The reverse. Throws Error(plugin) where the text is not such a document.
PluginDescription description_from_json(std::string_view json);

}  // namespace nearfar
