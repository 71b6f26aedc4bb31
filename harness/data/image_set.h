#pragma once
/// Image sets in memory and the manifest of a benchmark. Reads files, keeps no state, safe from any thread. Torch-free.
///
/// Where files are looked for: with `data_root` set, DATA_ROOT/ROOT and nowhere else; otherwise $NEARFAR_DATA/ROOT if that folder exists,
/// else the folder that the benchmark names.
#include "data/benchmark.h"

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace nearfar {

struct ImageSet {
  std::string name;
  std::int64_t count = 0, channels = 0, height = 0, width = 0;
  std::vector<std::uint8_t> pixels;   // [count, channels, height, width], row-major
  std::vector<std::int64_t> labels;   // [count] class of the benchmark; -1 in every set that is not id or csid
  std::vector<std::int64_t> indices;  // [count] position in the source
  std::string hash;                   ///< 32 hex digits of shape, pixels and labels
};

struct LoadOptions {
  std::filesystem::path data_root;  ///< key `data.root`
  std::int64_t limit = 0;           ///< at most so many images a set, the classes of the source in equal parts; 0 = all
  bool allow_count_mismatch = false;
};

/// One set. Error(data) that names the file, what it has and what was expected, and what to do: missing or truncated files, wrong magic or
/// size, and a number of images other than the benchmark's (unless allowed; an empty set never is).
ImageSet load_set(const Benchmark& benchmark, const std::string& set_name, const LoadOptions& options = {});
/// Several, in the order asked for; every source is decoded once.
std::vector<ImageSet> load_sets(const Benchmark& benchmark, const std::vector<std::string>& set_names, const LoadOptions& options = {});

struct ManifestEntry {
  std::string name, group;
  std::int64_t count = 0;      ///< images after the limit
  std::int64_t available = 0;  ///< images before it
  std::int64_t expected = 0;   ///< what the benchmark says
  std::string hash;            ///< ImageSet::hash
};

/// What a benchmark's images are, here and now. Fashion-MNIST: well below a second.
struct Manifest {
  std::string hash;                 ///< SHA-256 over class names, image shape, normalisation, and name and content hash of every set
  bool count_mismatch = false;      ///< some set is not as large as the benchmark says (only with allow_count_mismatch)
  std::vector<ManifestEntry> sets;  ///< in the benchmark's order
};
Manifest read_manifest(const Benchmark& benchmark, const LoadOptions& options = {});
std::string manifest_hash(const Benchmark& benchmark, const LoadOptions& options = {});

}  // namespace nearfar
