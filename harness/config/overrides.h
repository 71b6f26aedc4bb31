#pragma once
/// Command-line overrides of an experiment, applied to its composed tables before they are typed.
#include "config/document.h"

#include <string>
#include <string_view>

namespace nearfar {

/// Brings a file's own table into the one form that merging needs: plugin sections by plugin_key(), `seeds` as
/// sweep.replicates.seed.
void normalise(Value& document);

/// One of a.b=value, +a.b=value, ~a.b (experiment.h). Error(config) that quotes the argument.
void apply_override(Value& document, std::string_view argument);

}  // namespace nearfar
