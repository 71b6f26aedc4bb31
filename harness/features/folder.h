#pragma once
/// A model's feature folder, made by nearfar or by anyone (docs/data.md has the layout for people):
///   head/weight.npy [C,D], head/bias.npy [C], and per image set SET/features.npy [N,D], SET/logits.npy [N,C] and
///   SET/labels.npy [N], with SET = train, val, test, ood_val, near/NAME, far/NAME, csid/NAME, control/NAME.
/// float32, labels int64; other numbers are converted as base/npy.h says. Tensors map the files that need no
/// conversion: read-only memory (writing into one ends the process), kept mapped as long as a tensor lives.
#include "features/finite.h"

#include <nearfar/features.h>

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace nearfar {

/// The numbers of a file as float32, mapped where they are. Error(data) if it is missing or has not `dimensions` axes;
/// a column has one.
at::Tensor map_floats(const std::filesystem::path& file, std::size_t dimensions);

/// Const functions are safe from any thread.
class FeatureFolder {
 public:
  /// Error(data) if it is no folder or holds no image set.
  explicit FeatureFolder(std::filesystem::path folder);

  const std::filesystem::path& path() const { return folder_; }
  /// feature_folder_sets(): train, val, test, ood_val (those there are), then near/…, far/…, csid/…, control/… by name.
  const std::vector<std::string>& sets() const { return sets_; }
  bool has(std::string_view name) const;

  /// What `needs` asks for of kLogits, kFeatures and kNormalizedFeatures (computed here), and labels where there are
  /// any; the rest is undefined. Error(data) naming the file: missing, another number of axes, labels that are no whole
  /// numbers, numbers of rows that differ within the set, or widths that differ from the head's; or values that are
  /// asked for and not finite (looked at once for each set, or when it was made), whoever asks.
  FeatureBatch set(std::string_view name, Needs needs) const;

  bool has_head() const;
  /// Error(data) if missing, of shapes that do not fit each other, or not finite.
  HeadWeights head() const;
  /// From the head, else the columns of a set's logits, else the largest train label + 1. Error(data) if none of these
  /// is there.
  std::int64_t classes() const;

 private:
  std::filesystem::path folder_;
  /// Of a set, from its manifest or, where it has none, by looking at the tensor.
  NonFinite nonfinite(const std::string& set, const char* tensor, const at::Tensor& values, std::string& cause) const;
  void check_finite(const std::string& set, const char* tensor, const at::Tensor& values) const;
  HeadWeights map_head() const;

  struct Looks;
  std::vector<std::string> sets_;
  std::shared_ptr<Looks> looks_;  ///< what was looked at; guarded by its own lock
};

}  // namespace nearfar
