#pragma once
/// A benchmark: which images are in-distribution, which are out of it, and how they are cut into sets. A benchmark is
/// one TOML file (configs/benchmarks/README.md has the keys); adding one needs no code. Plain data, safe from any
/// thread. Torch-free.
#include "pixels/preprocess.h"

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace nearfar {

/// A folder of files that someone else made. Two sources of one root show the same classes, so no class of it may be
/// both ID and OOD.
struct DataRoot {
  std::string name;              ///< unique in the benchmark
  std::filesystem::path folder;  ///< the default; relative ones lie beneath Benchmark::base
  std::string
      in_data_root;  ///< where it lies beneath data.root: default its name; "." = data.root is this folder (OpenOOD's)
  std::string fix;   ///< what a person does to get the files
  std::string where;
};

enum class SourceType {
  idx,        ///< a pair of IDX files (MNIST's format), gzip'ed or not
  mnist_csv,  ///< one row per image: pixels row by row, then the label; gzip'ed or not
  noise,      ///< generated: every pixel uniform in 0…255; no labels
  shapes,     ///< generated: labelled gratings or blobs
  list,       ///< an image list and the folder its paths lie in (OpenOOD's layout); always RGB
  folders,    ///< one folder of image files a class; always RGB
  cifar,      ///< CIFAR-10/100 binary batches: label bytes, then 3 planes of 32 x 32
};

/// Where images come from, before any selection.
struct SourceSpec {
  std::string name;
  SourceType type = SourceType::idx;
  std::string root;                      ///< name of a DataRoot; for generated sources the source's own name
  std::string images_file, labels_file;  ///< beneath the root; a CSV has no labels_file
  std::string list_file;                 ///< list: beneath the root
  std::string folder;                    ///< list, folders: what paths are relative to, beneath the root
  std::vector<std::string>
      folders;  ///< folders: the class folders in the order of the labels; empty = all, sorted by name
  std::vector<std::string> batch_files;  ///< cifar: read one after the other
  std::int64_t label_bytes = 1;          ///< cifar: 1 (CIFAR-10) or 2 (CIFAR-100: coarse, fine; fine counts)
  std::uint64_t seed = 0;                ///< of generated images
  std::int64_t size = 0;                 ///< how many are generated
  std::int64_t kinds = 0;                ///< shapes: number of labels, taken in turn
  std::string pattern;                   ///< shapes: "gratings" or "blobs"
  std::string where;
};

/// Of image files, one by one: type list or folders.
inline bool is_listed(const SourceSpec& source) {
  return source.type == SourceType::list || source.type == SourceType::folders;
}

/// One image set: a selection from one source, in the source's order.
struct SetSpec {
  std::string name;   ///< train, val, test, ood_val, near/NAME, far/NAME, csid/NAME, control/NAME
  std::string group;  ///< id, ood_val, near, far, csid, control
  std::string source;
  std::vector<std::int64_t>
      classes;  ///< labels of the source that are kept; empty = all. Of id and csid sets: class i of the benchmark is
                ///< classes[i]; empty for a source whose labels are the benchmark's (lists, folders)
  std::int64_t skip_per_class = 0;   ///< the first so many of each class are passed over,
  std::int64_t first_per_class = 0;  ///< then so many are kept; 0 = all that follow
  std::int64_t count = 0;  ///< expected number of images; 0 = not known (lists and folders only), never checked
  Preprocess preprocess;   ///< lists and folders: the benchmark's, unless the set has its own `resize`
  std::string where;       ///< "file:line:column"
};

/// A way to pool in-distribution sets: `test` and the named covariate-shifted ones.
struct ProtocolSpec {
  std::string name;               ///< "ood", "fsood", "fsood+es"
  std::vector<std::string> csid;  ///< names of sets, "csid/NAME"
};

struct Benchmark {
  std::string name;
  std::string title;  ///< one line for people
  std::filesystem::path file;
  std::filesystem::path base;        ///< the folder above `configs`, else the file's own folder
  std::vector<std::string> classes;  ///< names of the ID classes, C of them ("0" … where only class_count is given)
  bool classes_named = true;         ///< false: only class_count is given
  std::int64_t channels = 1, height = 0, width = 0;
  std::vector<double> mean, std;  ///< per channel, of pixels scaled to [0, 1]
  std::vector<DataRoot> roots;
  std::vector<SourceSpec> sources;
  std::vector<SetSpec> sets;  ///< in the order of the file
  /// Always `ood` (no csid) first; `fsood` with all csid sets unless [protocol.fsood] names them (none without csid
  /// sets); then further [protocol.NAME] tables.
  std::vector<ProtocolSpec> protocols;

  const ProtocolSpec& protocol(std::string_view protocol_name) const;  ///< Error(config) naming those there are

  const SetSpec& set(std::string_view set_name) const;  ///< Error(config) naming the nearest set where there is none
  const SourceSpec& source(std::string_view source_name) const;
};

/// `name_or_path`: a name (found as NAME.toml in `search`, in that order, with - or _) or a path to a .toml.
/// Refused with Error(config) at file:line:column: unknown keys, wrong types, missing train or test set, a class that
/// is both ID and OOD, sets of one source that share images. Files with images are not looked at.
Benchmark load_benchmark(const std::string& name_or_path, const std::vector<std::filesystem::path>& search);

/// Hash of what a benchmark says besides its sets: image shape, normalisation, classes, protocols. Who was given it
/// along with the file can see that the file has been edited since.
std::string benchmark_identity(const Benchmark& benchmark);

/// Names that load_benchmark finds, sorted.
std::vector<std::string> benchmark_names(const std::vector<std::filesystem::path>& search);

}  // namespace nearfar
