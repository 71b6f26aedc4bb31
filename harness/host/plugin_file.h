#pragma once
/// A plugin's file, and whether this host would take it, without running any of its code. Torch-free (library
/// nearfar::host_text): `plugin inspect` in the parent and load_plugin() in the engine ask the same questions. Safe
/// from any thread.
#include "host/elf.h"
#include "host/plugin_note.h"
#include "host/torch_symbols.h"

#include <filesystem>
#include <optional>
#include <string>

namespace nearfar {

/// As much as could be read. `fault` is why the rest could not.
struct PluginFile {
  std::filesystem::path path = {};
  std::optional<ElfFile> elf = {};
  std::optional<PluginNote> note = {};
  std::optional<PluginFault> fault = {};
};

/// Never throws for what is in the file.
PluginFile read_plugin_file(const std::filesystem::path& file);

/// What a plugin is compared with.
struct HostFacts {
  unsigned api = 0;        ///< NEARFAR_API_VERSION
  unsigned abi = 0;        ///< newest of the stable boundary
  BuildTagText tag = {};   ///< of this build
  bool has_torch = false;  ///< this process has LibTorch loaded: functions are looked up in it and not in the table
};

/// Of this build. The engine has LibTorch loaded, the parent has not.
HostFacts this_host(bool has_torch);

/// Why `file` would be refused, or nullopt. In this order: the file's own fault; tier exact: API version and build tag
/// (torch, cxx_abi, compiler, standard, sdk); the other tiers: ABI version, the oldest LibTorch it is built for; its
/// one exported symbol; libraries that are nowhere; names that LibTorch and the C and C++ libraries do not have.
std::optional<PluginFault> plugin_fault(const PluginFile& file, const HostFacts& host);

/// The same of a path as one text, "plugin PATH: found; wanted; fix", or "".
std::string plugin_file_fault(const std::filesystem::path& file, const HostFacts& host);

/// The versions of LibTorch that a plugin can run on.
struct TorchRange {
  bool any = false;                         ///< it takes nothing of LibTorch
  std::string only = {};                    ///< tier exact: this one alone
  TorchVersion first = {};                  ///< else: this one
  std::optional<TorchVersion> before = {};  ///< and later ones before this one
  std::vector<std::string> unknown = {};    ///< functions that no LibTorch of the table has: it runs on none of those
  std::vector<std::string> decisive = {};   ///< functions that make `first` what it is, where the note would allow less

  std::string text() const;  ///< "2.11 and newer (known up to 2.15)", "2.11.0 only", "any"
};

/// Of a file that has a note.
TorchRange torch_range(const PluginFile& file);

}  // namespace nearfar
