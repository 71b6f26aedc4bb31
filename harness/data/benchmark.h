#pragma once
/// A benchmark: which images are in-distribution, which are out of it, and how they are cut into sets. A benchmark is one TOML file
/// (configs/benchmarks/README.md has the keys); adding one needs no code. Plain data, safe from any thread. Torch-free.
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace nearfar {

/// A folder of files that someone else made. Two sources of one root show the same classes, so no class of it may be both ID and OOD.
struct DataRoot {
  std::string name;              ///< also the name of the folder beneath data.root
  std::filesystem::path folder;  ///< the default; relative ones lie beneath Benchmark::base
  std::string fix;               ///< what a person does to get the files
  std::string where;
};

enum class SourceType {
  idx,        ///< a pair of IDX files (MNIST's format), gzip'ed or not
  mnist_csv,  ///< one row per image: pixels row by row, then the label; gzip'ed or not
  noise,      ///< generated: every pixel uniform in 0…255; no labels
  shapes,     ///< generated: labelled gratings or blobs
};

/// Where images come from, before any selection.
struct SourceSpec {
  std::string name;
  SourceType type = SourceType::idx;
  std::string root;                      ///< name of a DataRoot; for generated sources the source's own name
  std::string images_file, labels_file;  ///< beneath the root; a CSV has no labels_file
  std::uint64_t seed = 0;                ///< of generated images
  std::int64_t size = 0;                 ///< how many are generated
  std::int64_t kinds = 0;                ///< shapes: number of labels, taken in turn
  std::string pattern;                   ///< shapes: "gratings" or "blobs"
  std::string where;
};

/// One image set: a selection from one source, in the source's order.
struct SetSpec {
  std::string name;   ///< train, val, test, ood_val, near/NAME, far/NAME, csid/NAME, control/NAME
  std::string group;  ///< id, ood_val, near, far, csid, control
  std::string source;
  std::vector<std::int64_t>
      classes;  ///< labels of the source that are kept; empty = all. Of id and csid sets: class i of the benchmark is classes[i]
  std::int64_t skip_per_class = 0;   ///< the first so many of each class are passed over,
  std::int64_t first_per_class = 0;  ///< then so many are kept; 0 = all that follow
  std::int64_t count = 0;            ///< expected number of images
  std::string where;                 ///< "file:line:column"
};

struct Benchmark {
  std::string name;
  std::string title;  ///< one line for people
  std::filesystem::path file;
  std::filesystem::path base;        ///< the folder above `configs`, else the file's own folder
  std::vector<std::string> classes;  ///< names of the ID classes, C of them
  std::int64_t channels = 1, height = 0, width = 0;
  std::vector<double> mean, std;  ///< per channel, of pixels scaled to [0, 1]
  std::vector<DataRoot> roots;
  std::vector<SourceSpec> sources;
  std::vector<SetSpec> sets;  ///< in the order of the file

  const SetSpec& set(std::string_view set_name) const;  ///< Error(config) naming the nearest set where there is none
  const SourceSpec& source(std::string_view source_name) const;
};

/// `name_or_path`: a name (found as NAME.toml in `search`, in that order, with - or _) or a path to a .toml.
/// Refused with Error(config) at file:line:column: unknown keys, wrong types, missing train or test set, a class that is both ID and OOD,
/// sets of one source that share images. Files with images are not looked at.
Benchmark load_benchmark(const std::string& name_or_path, const std::vector<std::filesystem::path>& search);

/// Names that load_benchmark finds, sorted.
std::vector<std::string> benchmark_names(const std::vector<std::filesystem::path>& search);

}  // namespace nearfar
