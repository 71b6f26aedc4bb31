#pragma once
/// From composed tables to a typed experiment: every key, type and range is checked. Pure.
#include "config/document.h"
#include "config/experiment.h"

#include <string>

namespace nearfar {

/// Of a document without axes. `default_name` of the experiment; `source` stands for the document in messages about
/// what is not in it. `canonical` and what follows it are left empty.
Experiment typed_experiment(const Value& document, const std::string& default_name, const std::string& source);

}  // namespace nearfar
