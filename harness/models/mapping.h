#pragma once
/// Key mappings: which name in somebody's weight file is which tensor of ours. Data, one TOML file each
/// (configs/models/). Plain values.
///
///   summary       = "ResNets with torchvision's names"
///   architectures = ["resnet18_224x224", "resnet50"]
///   strip         = ["core."]              # your own prefix, taken off where every name has it; those of tools
///                                          # (wrappers.h) come off anyway
///   ignore        = ["*.attn.index"]       # names that are not needed (our side need not have them)
///   optional      = ["*.num_batches_tracked"]   # OUR names that a file may lack: they keep the value of a new network
///   [[rename]]                             # the first rule that matches a name decides; a name that none matches is
///   unexpected from = "fc.*"                          # each * is any run of characters, and goes where `to` has its *
///   to   = "head.*"
///   [[head]]                               # the first whose tensor is there, under our names; its rows are the
///   classes or the width tensor = "head.weight" kind   = "linear"                      # or "embedding", with
///   projection = "mlp" or "linear"
///   [[refuse]]                             # names that say: this network cannot be ours, and why
///   name   = "h.h.weight"
///   reason = "…"
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace nearfar {

struct Mapping {
  struct Rename {
    std::string from, to;
  };
  struct Head {
    std::string tensor, kind, projection;
  };
  struct Refusal {
    std::string name, reason;
  };
  std::string name;  ///< the file's, without ".toml"
  std::string summary;
  std::vector<std::string> architectures, strip, ignore, optional;
  std::vector<Rename> rename;
  std::vector<Head> head;
  std::vector<Refusal> refuse;
};

/// The *.toml of a folder by name. Error(config): no such folder, none in it, or what is wrong with one
/// ("file:line:column: …").
std::vector<Mapping> read_mappings(const std::filesystem::path& folder);

/// The runs that the stars of `pattern` stand for (each as short as can be), or nullopt where `text` does not match as
/// a whole.
std::optional<std::vector<std::string_view>> match_pattern(std::string_view pattern, std::string_view text);
bool matches_any(const std::vector<std::string>& patterns, std::string_view text);

/// Our name of `name`, or nullopt where no rule matches.
std::optional<std::string> renamed(const Mapping& mapping, std::string_view name);

}  // namespace nearfar
