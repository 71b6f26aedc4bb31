#include "host/plugin_file.h"

#include "host/plugin_libraries.h"

#include <nearfar/abi.h>
#include <nearfar/c.h>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

namespace nearfar {
namespace {

constexpr const char* kRebuild = "rebuild it with nearfar_add_plugin() against this installation";

using Fault = std::optional<PluginFault>;

Fault fault(std::string found, std::string wanted, std::string fix) {
  return PluginFault{std::move(found), std::move(wanted), std::move(fix)};
}

Fault exact_fault(const PluginNote& note, const HostFacts& host) {
  if (note.api != host.api)
    return fault(fmt::format("made for plugin API {}", note.api), fmt::format("this host has API {}", host.api),
                 kRebuild);
  const std::array<std::pair<const char*, std::string BuildTagText::*>, 5> fields{
      {{"torch", &BuildTagText::torch},
       {"cxx_abi", &BuildTagText::cxx_abi},
       {"compiler", &BuildTagText::compiler},
       {"standard", &BuildTagText::standard},
       {"sdk", &BuildTagText::sdk}}};
  for (const auto& [name, field] : fields) {
    if (note.build_tag.*field != host.tag.*field)
      return fault(fmt::format("build tag: {} is '{}'", name, note.build_tag.*field),
                   fmt::format("this host has '{}'", host.tag.*field),
                   fmt::format("{}, or build it in tier stable, which runs on many LibTorch versions", kRebuild));
  }
  return std::nullopt;
}

Fault abi_fault(const PluginNote& note, const HostFacts& host) {
  if (note.abi == 0 || note.abi > host.abi)
    return fault(note.abi == 0 ? "its note names no abi" : fmt::format("made for plugin ABI {}", note.abi),
                 fmt::format("this host has ABI 1 to {}", host.abi),
                 "use a newer nearfar, or build it for an ABI that this one has");
  const auto oldest = torch_version(note.build_tag.torch), here = torch_version(host.tag.torch);
  if (note.tier == PluginTier::stable && oldest && here && *here < *oldest)
    return fault(fmt::format("built for LibTorch {} and newer", oldest->text()),
                 fmt::format("this host has {}", host.tag.torch),
                 fmt::format("use a nearfar with LibTorch {}, or build it for {}", oldest->text(), here->text()));
  return std::nullopt;
}

/// What some linkers add to every library.
bool is_linkers_own(std::string_view name) {
  constexpr std::array<std::string_view, 7> kNames{"_init",  "_fini",       "_end", "_edata",
                                                   "_etext", "__bss_start", "__end"};
  return std::ranges::find(kNames, name) != kNames.end();
}

Fault export_fault(const PluginFile& file) {
  const std::string_view entry = plugin_entry(file.note->tier);
  const auto& exports = file.elf->exports;
  if (std::ranges::none_of(exports, [&](const ElfSymbol& one) { return one.name == entry && one.function; }))
    return fault(fmt::format("exports no symbol '{}'", entry),
                 fmt::format("expected the entry of tier {}", plugin_tier_name(file.note->tier)),
                 fmt::format("give its source a NEARFAR_POSTPROCESSOR or NEARFAR_LOSS line; {}", kRebuild));
  const auto other = std::ranges::find_if(
      exports, [&](const ElfSymbol& one) { return one.name != entry && !is_linkers_own(one.name); });
  if (other == exports.end()) return std::nullopt;
  return fault(fmt::format("exports '{}'", other->name), fmt::format("expected no symbol but '{}'", entry),
               "link it as nearfar_add_plugin() does, with hidden visibility and a version script");
}

Fault library_fault(const PluginFile& file) {
  for (const std::string& name : file.elf->needed) {
    if (is_host_library(name) || library_is_there(name, *file.elf, std::filesystem::absolute(file.path).parent_path()))
      continue;
    return fault(fmt::format("needs the library '{}', which is not on this system", name),
                 "expected LibTorch, the C and C++ libraries, or what is installed",
                 fmt::format("install {}, or link it statically", name));
  }
  return std::nullopt;
}

/// A C++ name of LibTorch: at::, c10:: or torch:: itself, its members, type information and tables.
bool is_torch_cxx_name(std::string_view name) {
  if (!name.starts_with("_Z")) return false;
  name.remove_prefix(2);
  if (name.size() > 2 && name[0] == 'T' && std::string_view("IVST").find(name[1]) != std::string_view::npos)
    name.remove_prefix(2);
  if (!name.starts_with('N')) return false;
  name.remove_prefix(name.starts_with("NK") ? 2 : 1);
  return name.starts_with("2at") || name.starts_with("3c10") || name.starts_with("5torch");
}

/// Of the tiers that outlive a LibTorch: whether a name keeps them from it.
Fault tier_fault(const PluginNote& note, const ElfSymbol& symbol) {
  const bool of_c_shim = is_torch_c_name(symbol.name);
  if (!is_torch_cxx_name(symbol.name) && !(of_c_shim && note.tier == PluginTier::c)) return std::nullopt;
  return fault(fmt::format("is of tier {} and takes '{}' from LibTorch", plugin_tier_name(note.tier), symbol.name),
               note.tier == PluginTier::c ? "expected nothing of LibTorch"
                                          : "expected of LibTorch only functions torch_* and aoti_torch_*",
               note.tier == PluginTier::c && of_c_shim ? "build it in tier stable"
                                                       : "use nearfar::Tensor alone, or build it in tier exact");
}

Fault missing_torch_function(const std::string& name, const std::string& here) {
  const auto known = torch_symbol(name);
  const std::string wanted =
      !known ? fmt::format("no LibTorch from {} to {} has it", oldest_known_torch().text(), newest_known_torch().text())
      : known->gone ? fmt::format("LibTorch {} to before {} has it", known->first.text(), known->gone->text())
                    : fmt::format("LibTorch {} and newer has it", known->first.text());
  return fault(fmt::format("takes '{}' from LibTorch, which {} does not have", name, here), wanted,
               known ? fmt::format("use a nearfar with LibTorch {}, or build it for {}", known->first.text(), here)
                     : fmt::format("correct the name, or build it for LibTorch {}", here));
}

bool is_runtime_version(std::string_view version) {
  return version.starts_with("GLIBC_") || version.starts_with("GLIBCXX_") || version.starts_with("CXXABI_") ||
         version.starts_with("GCC_");
}

bool torch_function_is_there(const std::string& name, const HostFacts& host) {
  if (host.has_torch) return symbol_is_there({.name = name});
  if (is_torch_device_name(name)) return true;  // in a library that the table does not know; the engine will see
  const auto here = torch_version(host.tag.torch);
  const auto known = torch_symbol(name);
  return here && known && known->in(*here);
}

Fault symbol_fault(const PluginFile& file, const HostFacts& host) {
  // A name without a version may be in any library; only where all of them are loaded can it be looked up.
  const bool all_loaded = host.has_torch && std::ranges::all_of(file.elf->needed, is_host_library);
  for (const ElfSymbol& symbol : file.elf->undefined) {
    if (symbol.weak) continue;
    if (file.note->tier != PluginTier::exact) {
      if (const Fault found = tier_fault(*file.note, symbol)) return found;
    }
    if (is_torch_c_name(symbol.name)) {
      if (!torch_function_is_there(symbol.name, host)) return missing_torch_function(symbol.name, host.tag.torch);
    } else if ((is_runtime_version(symbol.version) || all_loaded) && !symbol_is_there(symbol)) {
      return fault(fmt::format("takes '{}{}{}'", symbol.name, symbol.version.empty() ? "" : "@", symbol.version),
                   "neither LibTorch nor the C and C++ libraries of this system have it",
                   "build it on this system or an older one, with this LibTorch");
    }
  }
  return std::nullopt;
}

}  // namespace

PluginFile read_plugin_file(const std::filesystem::path& path) {
  PluginFile file{.path = path};
  auto elf = read_elf(path);
  if (const auto* wrong = std::get_if<PluginFault>(&elf)) {
    file.fault = *wrong;
    return file;
  }
  file.elf = std::get<ElfFile>(std::move(elf));
  if (file.elf->notes.size() != 1) {
    file.fault = fault(file.elf->notes.empty() ? "has no note of nearfar"
                                               : fmt::format("has {} notes of nearfar", file.elf->notes.size()),
                       "expected one note in section .note.nearfar",
                       fmt::format("give its source one NEARFAR_POSTPROCESSOR or NEARFAR_LOSS line; {}", kRebuild));
    return file;
  }
  auto note = read_note(file.elf->notes.front());
  if (const auto* wrong = std::get_if<PluginFault>(&note)) {
    file.fault = *wrong;
  } else {
    file.note = std::get<PluginNote>(std::move(note));
  }
  return file;
}

HostFacts this_host(bool has_torch) {
  return {.api = NEARFAR_API_VERSION,
          .abi = NEARFAR_ABI,
          .tag = {kBuildTag.torch, kBuildTag.cxx_abi, kBuildTag.compiler, kBuildTag.standard, kBuildTag.sdk},
          .has_torch = has_torch};
}

std::optional<PluginFault> plugin_fault(const PluginFile& file, const HostFacts& host) {
  if (file.fault) return file.fault;
  const bool exact = file.note->tier == PluginTier::exact;
  if (Fault found = exact ? exact_fault(*file.note, host) : abi_fault(*file.note, host)) return found;
  if (Fault found = export_fault(file)) return found;
  if (Fault found = library_fault(file)) return found;
  return symbol_fault(file, host);
}

std::string plugin_file_fault(const std::filesystem::path& path, const HostFacts& host) {
  const auto found = plugin_fault(read_plugin_file(path), host);
  return found ? fmt::format("plugin {}: {}", path.string(), found->text()) : "";
}

TorchRange torch_range(const PluginFile& file) {
  const PluginNote& note = *file.note;
  if (note.tier == PluginTier::c) return {.any = true};
  if (note.tier == PluginTier::exact) return {.only = note.build_tag.torch};
  TorchRange range{.first = torch_version(note.build_tag.torch).value_or(TorchVersion{})};
  for (const ElfSymbol& symbol : file.elf->undefined) {
    if (symbol.weak || !is_torch_c_name(symbol.name) || is_torch_device_name(symbol.name)) continue;
    const auto known = torch_symbol(symbol.name);
    if (!known) {
      range.unknown.push_back(symbol.name);
    } else {
      if (known->first > range.first) range.decisive.clear();
      if (known->first > range.first || (known->first == range.first && !range.decisive.empty()))
        range.decisive.push_back(symbol.name);
      range.first = std::max(range.first, known->first);
      if (known->gone && (!range.before || *known->gone < *range.before)) range.before = known->gone;
    }
  }
  return range;
}

std::string TorchRange::text() const {
  if (any) return "any, and none";
  if (!only.empty()) return only + " only";
  const std::string known = newest_known_torch().text();
  if (!unknown.empty()) return fmt::format("none that is known (up to {}): none has {}", known, unknown.front());
  if (before) return fmt::format("{} to before {}", first.text(), before->text());
  return fmt::format("{} and newer (known up to {})", first.text(), known);
}

}  // namespace nearfar
