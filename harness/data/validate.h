#pragma once
/// What must hold between the parts of a benchmark before an image is read.
#include "data/benchmark.h"

#include <string>
#include <string_view>

namespace nearfar {

/// "id" for train, val and test; "near" for near/NAME and so on; "" for anything that is not the name of a set.
std::string group_of(std::string_view set_name);

/// Error(config) at file:line:column (load_benchmark says for what).
void validate(const Benchmark& benchmark);

}  // namespace nearfar
