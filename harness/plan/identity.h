#pragma once
/// The text that a cell's key is the hash of: canonical JSON, put together from parts that many cells share, because a
/// plan may have a hundred thousand of them. What is at its default is left out, so that a new key with a default
/// changes no cell that exists. Pure functions.
#include "plan/plan.h"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace nearfar {

/// One object from named parts that are JSON already; sorted by name. A part whose text is empty is left out.
std::string json_object(std::vector<std::pair<std::string_view, std::string>> parts);
/// A JSON string.
std::string json_text(std::string_view text);

/// key and identity of a cell.
void identify(Cell& cell, std::string identity);

/// Parts that every cell of an experiment has, where they are not at their default: numerics, dtype, deterministic,
/// on_unreadable.
std::vector<std::pair<std::string_view, std::string>> common_parts(const Experiment& experiment);

/// Image sets with what is done to their pixels.
std::string images_part(const BenchmarkPlan& benchmark, const std::vector<std::string>& sets);

/// {"name","version","source","params"}; parameters at their default are left out, files count by their contents.
std::string plugin_part(const PluginDescription& plugin, const ParamMap& params);

/// Contents of the files that parameters of type `file` name: parameter → SHA-256. A file that is not there is left
/// out: the plugin will say so.
std::map<std::string, std::string> named_files(const ParamSchema& schema, const ParamMap& params);

}  // namespace nearfar
