#pragma once
/// An experiment apart from the machine it was asked for on: its tables as TOML text, and the paths of this machine in
/// a table of their own. Pure functions but for the working folder, against which relative paths are made absolute.
/// Safe from any thread.
#include "config/document.h"

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace nearfar {

/// TOML that parse_toml() reads back to the same values: keys of a table sorted, sub-tables as [a.b] sections, tables
/// within lists inline.
std::string toml_text(const Value& document);

/// Takes what is a path out of composed tables (`out`, data.root, data.packed, checkpoint and features of model tables,
/// benchmarks named by a .toml, and text of a plugin's parameter that has a slash) and gives it as a table: [paths]
/// with one entry for each, named by its key
/// ("model.0.checkpoint"), absolute. A benchmark's path stays behind as its bare name.
Value take_paths(Value& document);

/// Puts them back.
void put_paths(Value& document, const Value& paths);

/// A stored profile (Plan::profile: [paths], and `directories` in [plugins]) for another machine: `file` has the same
/// form and replaces the entries that it names; the others stay. Its relative paths are relative to its folder.
/// Error(config) with file:line:column for what is no entry of a profile, and for a benchmark or model that the stored
/// experiment does not have; Error(data) for a file that cannot be read.
std::string profile_with(std::string_view stored, const std::filesystem::path& file);
/// Plugin folders of a stored profile.
std::vector<std::filesystem::path> profile_plugin_folders(std::string_view stored);

}  // namespace nearfar
