#pragma once
/// What must hold between the parts of a benchmark before an image is read.
#include "data/benchmark.h"

namespace nearfar {

/// Error(config) at file:line:column (load_benchmark says for what).
void validate(const Benchmark& benchmark);

}  // namespace nearfar
