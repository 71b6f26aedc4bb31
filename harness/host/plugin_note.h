#pragma once
/// What a plugin says of itself in its note (nearfar/note.h), read without running it. Torch-free (library
/// nearfar::host_text). Pure functions, safe from any thread.
#include "host/description.h"
#include "host/elf.h"

#include <nearfar/plugin_text.h>

#include <string>
#include <string_view>
#include <variant>

namespace nearfar {

enum class PluginTier { exact, stable, c };
std::string_view plugin_tier_name(PluginTier tier);
/// The one symbol that a plugin of the tier exports.
std::string_view plugin_entry(PluginTier tier);

struct PluginNote {
  PluginTier tier = PluginTier::exact;
  PluginKind kind = PluginKind::postprocessor;
  std::string name = {}, version = {}, summary = {}, reference = {};
  unsigned api = 0;             ///< tier exact: NEARFAR_API_VERSION
  unsigned abi = 0;             ///< the other tiers
  BuildTagText build_tag = {};  ///< of tier stable, torch is the oldest LibTorch it is built for; of c, ""
  std::string source_hash = {};
  Needs needs = 0;
  ParamSchema params = {};
};

/// The note of a descriptor, or the first thing that is wrong with it. Keys that are not known are skipped; texts may
/// be in any encoding.
std::variant<PluginNote, PluginFault> read_note(std::string_view descriptor);

}  // namespace nearfar
