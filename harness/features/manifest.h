#pragma once
/// How a feature set on the disk says what it was made from, and how that is checked. A set is a folder
///   features.npy [N,D] float32, logits.npy [N,C] float32 (with a linear head), labels.npy [N] int64, manifest.json
///   observed/HASH.npy [N,K] float32 with HASH.json     the columns of one observer (features/columns.h)
/// A manifest is written last: without one there is no set, and no column. Safe from any thread.
#include "features/finite.h"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace nearfar {

/// Everything that decides what a feature set holds. Free text, usually hashes.
struct FeatureKey {
  std::string checkpoint;  ///< hash of the weights file
  std::string images;      ///< hash of the image set
  std::string preprocess = "uint8-normalize-2";
  std::string dtype = "float32";

  bool operator==(const FeatureKey&) const = default;
};

/// What a cached set's manifest says of the images it was made from.
struct FeatureFacts {
  std::int64_t images = 0;  ///< rows
  std::vector<std::int64_t> unreadable =
      {};  ///< positions in the set that were left out, ascending (data.on_unreadable = "skip")
  std::vector<std::int64_t> damaged = {};  ///< positions of those with made-up pixels: files cut off or with errors
  std::string pixels = {};                 ///< hash of all pixels that the network saw
  /// Rows that are no numbers, and why. Absent in sets made by version 0.1: nobody has looked.
  struct Check {
    NonFinite features = {}, logits = {};
    std::string cause = {};
  };
  std::optional<Check> check = {};
};

/// True if `folder` holds a complete feature set of this key: manifest, files, sizes and shapes agree. `full` compares
/// contents with the manifest's hashes too. Never throws for a missing or damaged set: it is false.
bool features_cached(const std::filesystem::path& folder, const FeatureKey& key, bool full = false);
/// Error(data) if there is no readable manifest.
FeatureFacts read_facts(const std::filesystem::path& folder);
/// Of the arrays that lie in `folder`.
void write_manifest(const std::filesystem::path& folder, const FeatureKey& key, const FeatureFacts& facts);

/// SET/observed/HASH.npy, for columns that `columns` (an Observer's key) decides.
std::filesystem::path columns_file(const std::filesystem::path& folder, const std::string& columns);
/// True if `folder` holds these columns, made with the set that `key` means. Never throws, as features_cached().
bool columns_cached(const std::filesystem::path& folder, const FeatureKey& key, const std::string& columns);
/// Of the columns_file() that lies in `folder`.
void write_columns_manifest(const std::filesystem::path& folder, const FeatureKey& key, const std::string& columns);

}  // namespace nearfar
