#pragma once
/// `nearfar data synth`: a tiny look-alike of a benchmark's image files, for tests, demos and plugin authors.
/// Torch-free.
#include "data/benchmark.h"

#include <cstdint>
#include <filesystem>

namespace nearfar {

struct SynthReport {
  std::int64_t lists = 0;  ///< lists (or trees of class folders) that were written
  std::int64_t images = 0;
  std::int64_t left_out = 0;  ///< sets that come from elsewhere (idx, cifar, generated)
};

/// Lists and images of every set that comes from a list or class folders, under `out`, which is then a data.root: real
/// folder and list names, correct labels, JPEG and PNG of many modes and sizes. In-distribution and covariate-shifted
/// images have a pattern and colours by class, which a small network learns; every OOD set looks different.
///
/// A set has `per_set` images, at least one of each class; train has four times as many. Same benchmark, number and
/// seed: same bytes. Error(data) if `out` is there and not empty, or cannot be written; Error(config) if no set comes
/// from lists or class folders.
SynthReport synth_data(const Benchmark& benchmark, const std::filesystem::path& out, std::int64_t per_set,
                       std::uint64_t seed);

}  // namespace nearfar
