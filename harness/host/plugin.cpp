#include "host/plugin.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <deque>
#include <memory>
#include <utility>

// For <boost/dll/…> below, which else wants libboost_filesystem.
#define BOOST_DLL_USE_STD_FS

#include "base/error.h"
#include "base/hash.h"
#include "base/text.h"
#include "host/call.h"
#include "host/param_rows.h"
#include "host/plugin_file.h"
#include "host/stable_plugin.h"
#include "kernels/contrastive.h"
#include "kernels/explicit_gradient.h"

#include <boost/dll/shared_library.hpp>

namespace nearfar {
namespace {

namespace fs = std::filesystem;

constexpr const char* kEntry = "nearfar_plugin_info";
constexpr const char* kRebuild = "rebuild it with nearfar_add_plugin() against this installation";

[[noreturn]] void refuse(const fs::path& file, const std::string& what) {
  throw Error(ErrorKind::plugin, fmt::format("plugin {}: {}", file.string(), what));
}

std::string text(const char* value) { return value == nullptr ? std::string() : std::string(value); }

/// Opens the library for good: the object is never destroyed, so nothing is ever unloaded, refused libraries included.
const boost::dll::shared_library& open_library(const fs::path& file) {
  static auto& opened = *new std::vector<std::unique_ptr<boost::dll::shared_library>>;
  auto library = std::make_unique<boost::dll::shared_library>();
  boost::dll::fs::error_code failure;
  // dlopen() looks a bare name up in the system's folders; an absolute path means this file.
  library->load(fs::absolute(file), boost::dll::load_mode::rtld_now | boost::dll::load_mode::rtld_local, failure);
  if (failure) {
    const char* reason = ::dlerror();
    refuse(file, fmt::format("cannot be loaded: {}; a plugin may need only LibTorch and the standard library; {}",
                             reason != nullptr ? reason : failure.message(), kRebuild));
  }
  return *opened.emplace_back(std::move(library));
}

const NearfarPluginInfo& read_info(const fs::path& file, const boost::dll::shared_library& library) {
  if (!library.has(kEntry)) {
    refuse(file, fmt::format(
                     "exports no symbol '{}'; expected a NEARFAR_POSTPROCESSOR or NEARFAR_LOSS line in its source; {}",
                     kEntry, kRebuild));
  }
  const NearfarPluginInfo* info = library.get<const NearfarPluginInfo*()>(kEntry)();
  if (info == nullptr) refuse(file, fmt::format("'{}' returned nothing; expected a descriptor; {}", kEntry, kRebuild));
  return *info;
}

void check_agreement(const fs::path& file, const NearfarPluginInfo& info) {
  if (std::memcmp(info.magic, "nearfar", sizeof info.magic) != 0) {
    refuse(file, fmt::format("its descriptor does not begin with 'nearfar'; {}", kRebuild));
  }
  if (info.api != NEARFAR_API_VERSION) {
    refuse(file,
           fmt::format("made for plugin API {}; this host has API {}; {}", info.api, NEARFAR_API_VERSION, kRebuild));
  }
  if (info.size != sizeof(NearfarPluginInfo)) {
    refuse(file, fmt::format("its descriptor has {} bytes; this host's has {}; {}", info.size,
                             sizeof(NearfarPluginInfo), kRebuild));
  }
  const BuildTagText wanted = this_host(true).tag;
  const auto same = [&](const char* field, const char* found, const std::string& want) {
    if (found == nullptr || found != want) {
      refuse(file, fmt::format("build tag: {} is '{}'; this host has '{}'; {}", field, text(found), want, kRebuild));
    }
  };
  same("torch", info.tag.torch, wanted.torch);
  same("cxx_abi", info.tag.cxx_abi, wanted.cxx_abi);
  same("compiler", info.tag.compiler, wanted.compiler);
  same("standard", info.tag.standard, wanted.standard);
  same("sdk", info.tag.sdk, wanted.sdk);
}

/// The descriptor of a plugin behind nearfar/c.h, whole, for good.
const nearfar_plugin& read_c_plugin(const fs::path& file, const boost::dll::shared_library& library) {
  const nearfar_plugin* given = library.get<const nearfar_plugin*(const nearfar_host*)>(NEARFAR_C_ENTRY)(&c_host());
  if (given == nullptr) {
    refuse(file, fmt::format("'{}' returned nothing for ABI {}: it wants a newer nearfar; update nearfar, or {}",
                             NEARFAR_C_ENTRY, NEARFAR_ABI, kRebuild));
  }
  constexpr std::uint32_t kLeast = offsetof(nearfar_plugin, fit);  // what ABI 1 began with, for either kind
  if (given->struct_size < kLeast) {
    refuse(file,
           fmt::format("its descriptor has {} bytes; expected at least {}; {}", given->struct_size, kLeast, kRebuild));
  }
  if (given->abi == 0 || given->abi > NEARFAR_ABI) {
    refuse(file, fmt::format("made for plugin ABI {}; this host has ABI {}; update nearfar, or {}", given->abi,
                             NEARFAR_ABI, kRebuild));
  }
  static auto& descriptors = *new std::deque<nearfar_plugin>;
  const nearfar_plugin& whole = descriptors.emplace_back(whole_descriptor(*given));
  if (whole.kind != NEARFAR_POSTPROCESSOR_KIND && whole.kind != NEARFAR_LOSS_KIND)
    refuse(file, fmt::format("kind is {}; expected 1 (postprocessor) or 2 (loss)", whole.kind));
  const std::string fault = descriptor_fault(whole);
  if (!fault.empty()) refuse(file, fault + "; set it in the descriptor (nearfar/c.h)");
  return whole;
}

void check_name(const fs::path& file, const PluginText& said) {
  if (!spelled_in_words(text(said.name), '-')) {
    refuse(file, fmt::format("name is '{}'; expected kebab-case such as 'temp-scaling'; set .name in the macro",
                             text(said.name)));
  }
  if (text(said.version).empty()) refuse(file, "version is empty; set .version in the macro, such as \"1.0.0\"");
}

void check_identity(const fs::path& file, const NearfarPluginInfo& info) {
  if (info.kind != PluginKind::postprocessor && info.kind != PluginKind::loss) {
    refuse(file, fmt::format("kind is {}; expected 1 (postprocessor) or 2 (loss); {}",
                             static_cast<std::uint32_t>(info.kind), kRebuild));
  }
  const bool complete =
      info.kind == PluginKind::postprocessor
          ? info.create_postprocessor != nullptr && info.destroy_postprocessor != nullptr
          : info.create_loss != nullptr && info.destroy_loss != nullptr && info.loss_traits != nullptr;
  if (!complete)
    refuse(file, fmt::format("a {} without all its functions; use the SDK's macros", plugin_kind_name(info.kind)));
}

ParamSchema read_params(const fs::path& file, const ParamTable& table) {
  if (table.size > kMostParams || (table.rows == nullptr && table.size > 0)) {
    refuse(file,
           fmt::format(
               "parameter table with {} rows at {}; expected at most {}; set .params to an array of nearfar::Param",
               table.size, table.rows == nullptr ? "no address" : "an address", kMostParams));
  }
  ParamSchema schema;
  for (std::size_t i = 0; i < table.size; ++i) {
    const Param& row = table.rows[i];
    std::string wrong = param_row_fault(row);
    if (wrong.empty() && std::ranges::find(schema, text(row.name), &ParamSpec::name) != schema.end())
      wrong = "its name is there twice";
    if (!wrong.empty())
      refuse(file, fmt::format("parameter {} ('{}'): {}; correct the table", i + 1, text(row.name), wrong));
    schema.push_back(param_spec(row));
  }
  return schema;
}

/// The parameters of observe(): known names, and only where there is an observe().
void check_observed(const fs::path& file, PluginDescription& description, const PluginText& plugin_text) {
  const bool observes = (plugin_text.needs & (kMapStatistics | kInputGradients)) != 0;
  if (!observes && (plugin_text.observes_fitted || !text(plugin_text.observed_params).empty())) {
    refuse(file,
           "has .observed_params or .observes_fitted, but needs neither map-statistics nor input-gradients; correct "
           "the macro");
  }
  for (const std::string& name : split(text(plugin_text.observed_params), ',')) {
    if (name.empty()) continue;
    if (std::ranges::find(description.params, name, &ParamSpec::name) == description.params.end()) {
      refuse(file, fmt::format("'{}' in .observed_params is not a parameter of the plugin; correct the macro", name));
    }
    description.observed_params.push_back(name);
  }
  description.observes_fitted = plugin_text.observes_fitted;
}

/// What the author says of a plugin of any tier, checked.
PluginDescription described(const fs::path& file, PluginKind kind, const PluginText& said) {
  check_name(file, said);
  PluginDescription description;
  description.path = file.string();
  description.kind = plugin_kind_name(kind);
  description.name = text(said.name);
  description.version = text(said.version);
  description.summary = text(said.summary);
  description.reference = text(said.reference);
  description.needs = need_names(said.needs);
  description.params = read_params(file, said.params);
  try {
    description.sweep = grid_from_text(description.params, text(said.sweep), "the sweep");
  } catch (const Error& error) {
    refuse(file, fmt::format("{}; correct .sweep in the macro", error.what()));
  }
  if (description.sweep.zipped) refuse(file, "lists points in .sweep; it is a grid, like \"k=50,100;alpha=0.1,1\"");
  description.tuned = said.tuned;
  if (description.tuned && description.sweep.empty())
    refuse(file, "is .tuned but has no .sweep; give it the values to search");
  check_observed(file, description, said);
  return description;
}

std::string defaults(const ParamSchema& schema) {
  std::vector<std::string> rows;
  for (const ParamSpec& spec : schema) rows.push_back(spec.name + "=" + param_text(spec.default_value));
  return join(rows, ", ");
}

/// The parent plans with the note, the engine works with the descriptor.
void check_note(const fs::path& file, const PluginNote& note, const PluginDescription& description) {
  const auto same = [&](const char* field, const std::string& noted, const std::string& described) {
    if (noted != described) {
      refuse(file, fmt::format("its note has {} '{}'; its descriptor has '{}'; {}", field, noted, described, kRebuild));
    }
  };
  same("kind", std::string(plugin_kind_name(note.kind)), description.kind);
  same("name", note.name, description.name);
  same("version", note.version, description.version);
  same("tier", std::string(plugin_tier_name(note.tier)), description.tier);
  if (note.tier == PluginTier::c) return;  // a note written by hand may stop here
  same("needs", join(need_names(note.needs), ", "), join(description.needs, ", "));
  same("params", defaults(note.params), defaults(description.params));
  same("source", note.source_hash, description.source_hash);
}

}  // namespace

std::string LoadedPlugin::label() const {
  return fmt::format("{} '{}' ({})", description_.kind, description_.name, description_.path);
}

LoadedPlugin load_plugin(const fs::path& file) {
  register_contrastive();  // which plugins reach through nearfar/contrastive.h
  register_explicit_gradient();
  const PluginFile unopened = read_plugin_file(file);
  if (const auto fault = plugin_fault(unopened, this_host(true))) refuse(file, fault->text());
  const std::string binary_hash = sha256_file(file);
  const boost::dll::shared_library& library = open_library(file);
  if (unopened.note->tier != PluginTier::exact) {
    const nearfar_plugin& plugin = read_c_plugin(file, library);
    PluginDescription description = described(file, static_cast<PluginKind>(plugin.kind), plugin_text(plugin));
    description.tier = (plugin.flags & NEARFAR_TORCH) != 0 ? "stable" : "c";
    description.binary_hash = binary_hash;
    description.source_hash = plugin.source_hash == nullptr ? binary_hash.substr(0, 32) : plugin.source_hash;
    description.build_tag = unopened.note->build_tag;
    check_note(file, *unopened.note, description);
    return LoadedPlugin(plugin, std::move(description));
  }
  const NearfarPluginInfo& info = read_info(file, library);
  check_agreement(file, info);
  check_identity(file, info);
  PluginDescription description = described(file, info.kind, info.text);
  description.tier = "exact";
  description.source_hash = text(info.source_hash);
  description.binary_hash = binary_hash;
  check_note(file, *unopened.note, description);
  description.build_tag = {info.tag.torch, info.tag.cxx_abi, info.tag.compiler, info.tag.standard, info.tag.sdk};
  return LoadedPlugin(info, std::move(description));
}

LossTraitsText traits_of(const LoadedPlugin& plugin, const ParamMap& params) {
  const LossTraits traits = loss_traits(plugin, validate(plugin.params(), params, plugin.label()));
  return {.views = traits.views,
          .head = traits.head == HeadKind::linear ? "linear" : "embedding",
          .normalized_embedding = traits.normalized_embedding,
          .wants_features = traits.wants_features,
          .takes_soft_targets = traits.takes_soft_targets,
          .wants_auxiliary = traits.wants_auxiliary};
}

PluginDescription describe(const LoadedPlugin& plugin) {
  PluginDescription description = plugin.description();
  if (plugin.kind() == PluginKind::loss) description.traits = traits_of(plugin, {});
  return description;
}

}  // namespace nearfar
