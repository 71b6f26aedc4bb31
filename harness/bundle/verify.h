#pragma once
/// Are results what they say? Every number that can be computed again from what lies beside it is computed again, on a
/// CPU, in seconds. Nothing that is read is trusted. Safe from any thread.
///
/// What this cannot prove: that the scores come from the model and the images that are named. Who writes scores by hand
/// and computes their metrics passes. For that, scoring has to be done again (from a bundle with checkpoints), or the
/// experiment (`nearfar show` has the command). Times, devices, curves, validation numbers, calibration and parameters
/// shown beside a plugin's name are not checked either.
#include "bundle/manifest.h"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace nearfar {

enum class CheckStatus {
  pass,
  fail,
  not_checkable,  ///< nothing is there to check it with, and that is not wrong
};

struct Check {
  /// manifest, file (of a bundle against SHA256SUMS), database, config, identity, scores (a score file against the
  /// database), count (scores against the benchmark's images), metric, accuracy
  std::string what = {};
  CheckStatus status = CheckStatus::pass;
  std::string cell = {}, label = {};                   ///< key and label; "" = of no cell
  std::string set = {};                                ///< "near/NAME", "test", or a file's name
  std::string protocol = {}, metric = {};              ///< of a number
  std::optional<double> stored = {}, recomputed = {};  ///< fractions
  std::string message = {};                            ///< why it fails, or cannot be checked
};

struct Verification {
  std::filesystem::path source = {};            ///< as the caller named it
  std::optional<BundleManifest> manifest = {};  ///< nullopt: a database without one, or it cannot be read
  std::vector<Check> checks = {};               ///< by kind of check, then by cell
  std::int64_t evaluations = 0;                 ///< that were looked at

  bool passed() const;  ///< there is something to check and none of it fails
  std::int64_t count(CheckStatus status) const;
};

/// The canonical text of a composed config; Error where it is none. The caller brings it: to read configs is not this
/// library's to do.
using Canonical = std::function<std::string(const std::string& composed)>;

/// Of an unpacked bundle. Never throws for what is wrong with it: that is a check that fails.
Verification verify_folder(const std::filesystem::path& folder, const Canonical& canonical);
/// Of a database with its score files where it says that they are: as above, without manifest and sums.
Verification verify_database(const std::filesystem::path& database, const Canonical& canonical);

/// "pass   96 metrics …", each failure, and what was not proved.
std::string verification_text(const Verification& verification);
std::string verification_json(const Verification& verification);

}  // namespace nearfar
