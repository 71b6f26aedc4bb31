#pragma once
/// Command-line overrides of an experiment, applied to its composed tables before they are typed.
#include "config/document.h"

#include <string>
#include <string_view>
#include <vector>

namespace nearfar {

/// Brings a file's own table into the one form that merging needs: plugin sections by plugin_key(), `seeds` as
/// sweep.replicates.seed.
void normalise(Value& document);

/// One of a.b=value, +a.b=value, ~a.b, a.b=1,2 (experiment.h). Error(config) that quotes the argument.
void apply_override(Value& document, std::string_view argument);

/// "loss.temp_scaling.t" → loss, temp-scaling, t; `benchmark` and `seeds` under their full names. Error(config) for an
/// empty part.
std::vector<std::string> key_path(std::string_view key, std::string_view where);

/// Sets a key, with the tables above it; keys that hold lists get one. Error(config) where something above it is no
/// table.
void set_key(Value& document, const std::vector<std::string>& path, Value value, const std::string& where);

}  // namespace nearfar
