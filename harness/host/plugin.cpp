#include "host/plugin.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <memory>
#include <utility>

// For <boost/dll/…> below, which else wants libboost_filesystem.
#define BOOST_DLL_USE_STD_FS

#include "base/error.h"
#include "base/hash.h"
#include "base/text.h"
#include "host/call.h"
#include "host/elf.h"
#include "kernels/contrastive.h"

#include <boost/dll/shared_library.hpp>

namespace nearfar {
namespace {

namespace fs = std::filesystem;

constexpr const char* kEntry = "nearfar_plugin_info";
constexpr std::size_t kMostParams = 256;
constexpr const char* kRebuild = "rebuild it with nearfar_add_plugin() against this installation";

constexpr std::array<std::pair<Need, const char*>, 8> kNeedNames{{{kLogits, "logits"},
                                                                  {kFeatures, "features"},
                                                                  {kNormalizedFeatures, "normalized-features"},
                                                                  {kHeadWeights, "head-weights"},
                                                                  {kMapStatistics, "map-statistics"},
                                                                  {kInputGradients, "input-gradients"},
                                                                  {kTrain, "train"},
                                                                  {kValidation, "validation"}}};

[[noreturn]] void refuse(const fs::path& file, const std::string& what) {
  throw Error(ErrorKind::plugin, fmt::format("plugin {}: {}", file.string(), what));
}

std::string text(const char* value) { return value == nullptr ? std::string() : std::string(value); }

void check_file(const fs::path& file) {
  const std::string fault = elf_fault(file);
  if (!fault.empty()) refuse(file, fault + "; give a plugin's .so as nearfar_add_plugin() builds it");
}

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

const NearfarPluginInfo& read_info(const fs::path& file) {
  const boost::dll::shared_library& library = open_library(file);
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
  const BuildTag& wanted = kBuildTag;
  const auto same = [&](const char* field, const char* found, const char* want) {
    if (found == nullptr || std::strcmp(found, want) != 0) {
      refuse(file, fmt::format("build tag: {} is '{}'; this host has '{}'; {}", field, text(found), want, kRebuild));
    }
  };
  same("torch", info.tag.torch, wanted.torch);
  same("cxx_abi", info.tag.cxx_abi, wanted.cxx_abi);
  same("compiler", info.tag.compiler, wanted.compiler);
  same("standard", info.tag.standard, wanted.standard);
  same("sdk", info.tag.sdk, wanted.sdk);
}

bool spelled(std::string_view name, char joint) {
  const auto word = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  if (name.empty() || !word(name.front()) || !word(name.back())) return false;
  return std::ranges::all_of(name, [&](char c) { return word(c) || c == joint; });
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
  if (!spelled(text(info.text.name), '-')) {
    refuse(file, fmt::format("name is '{}'; expected kebab-case such as 'temp-scaling'; set .name in the macro",
                             text(info.text.name)));
  }
  if (text(info.text.version).empty()) refuse(file, "version is empty; set .version in the macro, such as \"1.0.0\"");
}

/// What is wrong with one row, or "".
std::string fault(const Param& row) {
  const auto whole = [](double value) { return std::trunc(value) == value; };
  if (!spelled(text(row.name), '_')) return "its name is not lower_case";
  switch (row.type) {
    case ParamType::boolean:
      return row.default_number == 0 || row.default_number == 1 ? "" : "its default is neither 0 nor 1";
    case ParamType::integer:
      if (!whole(row.default_number) || !whole(row.minimum) || !whole(row.maximum))
        return "its default or range is not whole";
      [[fallthrough]];
    case ParamType::number: {
      if (std::isfinite(row.default_number) && row.minimum <= row.default_number && row.default_number <= row.maximum)
        return "";
      return fmt::format("its default {} is outside {} to {}", row.default_number, row.minimum, row.maximum);
    }
    case ParamType::file:
      return text(row.default_text).empty() ? "" : "its default names a file; expected none";
    case ParamType::text: {
      const std::vector<std::string> choices = split(text(row.choices), '|');
      const bool any = text(row.choices).empty();
      return any || std::ranges::find(choices, text(row.default_text)) != choices.end()
                 ? ""
                 : "its default is not one of its choices";
    }
  }
  return fmt::format("its type {} is unknown", static_cast<int>(row.type));
}

ParamSpec copy(const Param& row) {
  ParamSpec spec{
      .name = text(row.name), .type = row.type, .minimum = row.minimum, .maximum = row.maximum, .help = text(row.help)};
  switch (row.type) {
    case ParamType::boolean:
      spec.default_value = row.default_number != 0;
      break;
    case ParamType::integer:
      spec.default_value = static_cast<std::int64_t>(row.default_number);
      break;
    case ParamType::number:
      spec.default_value = row.default_number;
      break;
    case ParamType::text:
    case ParamType::file:
      spec.default_value = text(row.default_text);
      if (!text(row.choices).empty()) spec.choices = split(text(row.choices), '|');
      break;
  }
  return spec;
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
    std::string wrong = fault(row);
    if (wrong.empty() && std::ranges::find(schema, text(row.name), &ParamSpec::name) != schema.end())
      wrong = "its name is there twice";
    if (!wrong.empty())
      refuse(file, fmt::format("parameter {} ('{}'): {}; correct the table", i + 1, text(row.name), wrong));
    schema.push_back(copy(row));
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

}  // namespace

std::string_view plugin_kind_name(PluginKind kind) { return kind == PluginKind::loss ? "loss" : "postprocessor"; }

std::vector<std::string> need_names(Needs needs) {
  std::vector<std::string> names;
  for (const auto& [need, name] : kNeedNames) {
    if ((needs & need) != 0) names.emplace_back(name);
  }
  return names;
}

std::string LoadedPlugin::label() const {
  return fmt::format("{} '{}' ({})", description_.kind, description_.name, description_.path);
}

LoadedPlugin load_plugin(const fs::path& file) {
  register_contrastive();  // which plugins reach through nearfar/contrastive.h
  check_file(file);
  const std::string binary_hash = sha256_file(file);
  const NearfarPluginInfo& info = read_info(file);
  check_agreement(file, info);
  check_identity(file, info);
  PluginDescription description;
  description.path = file.string();
  description.kind = plugin_kind_name(info.kind);
  description.tier = "exact";
  description.name = text(info.text.name);
  description.version = text(info.text.version);
  description.summary = text(info.text.summary);
  description.reference = text(info.text.reference);
  description.needs = need_names(info.text.needs);
  description.params = read_params(file, info.text.params);
  try {
    description.sweep = grid_from_text(description.params, text(info.text.sweep), "the sweep");
  } catch (const Error& error) {
    refuse(file, fmt::format("{}; correct .sweep in the macro", error.what()));
  }
  if (description.sweep.zipped) refuse(file, "lists points in .sweep; it is a grid, like \"k=50,100;alpha=0.1,1\"");
  description.tuned = info.text.tuned;
  if (description.tuned && description.sweep.empty())
    refuse(file, "is .tuned but has no .sweep; give it the values to search");
  check_observed(file, description, info.text);
  description.source_hash = text(info.source_hash);
  description.binary_hash = binary_hash;
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
