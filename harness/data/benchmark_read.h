#pragma once
/// One benchmark file. Safe from any thread.
#include "data/benchmark.h"

#include <filesystem>

namespace nearfar {

/// Error(config) as load_benchmark (benchmark.h).
Benchmark read_benchmark(const std::filesystem::path& file);

}  // namespace nearfar
