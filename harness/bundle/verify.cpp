#include "bundle/verify.h"

#include "base/error.h"
#include "base/files.h"
#include "base/hash.h"
#include "bundle/verify_results.h"

#include <algorithm>
#include <set>

namespace nearfar {
namespace {

namespace fs = std::filesystem;

void fail(Verification& verification, const std::string& what, const std::string& set, const std::string& message) {
  verification.checks.push_back({.what = what, .status = CheckStatus::fail, .set = set, .message = message});
}
void pass(Verification& verification, const std::string& what, const std::string& set) {
  verification.checks.push_back({.what = what, .set = set});
}

/// Relative names of the regular files beneath `folder`.
std::set<std::string> files_beneath(const fs::path& folder) {
  std::set<std::string> names;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (!entry.is_directory()) names.insert(entry.path().lexically_relative(folder).string());
  }
  return names;
}

void check_sums(const fs::path& folder, Verification& verification) {
  std::map<std::string, std::string> sums;
  try {
    sums = read_sums(folder);
  } catch (const Error& error) {
    fail(verification, "file", std::string(kSumsFile), error.what());
    return;
  }
  std::set<std::string> there = files_beneath(folder);
  there.erase(std::string(kSumsFile));
  for (const auto& [name, hash] : sums) {
    if (there.erase(name) == 0) {
      fail(verification, "file", name, "is missing: SHA256SUMS lists it");
    } else if (fs::is_symlink(folder / name) || sha256_file(folder / name) != hash) {
      fail(verification, "file", name, "is not the file that SHA256SUMS lists: its SHA-256 differs");
    } else {
      pass(verification, "file", name);
    }
  }
  for (const std::string& name : there) fail(verification, "file", name, "is not listed in SHA256SUMS");
}

void check_manifest(const fs::path& folder, Verification& verification) {
  try {
    verification.manifest = read_bundle_manifest(folder);
    pass(verification, "manifest", std::string(kManifestFile));
  } catch (const Error& error) {
    fail(verification, "manifest", std::string(kManifestFile), error.what());
  }
}

/// Texts of configs beside the database, which people read, against those in it.
void check_config_files(const fs::path& folder, const StoredEvidence& evidence, Verification& verification) {
  for (const ExperimentRecord& one : evidence.experiments) {
    for (const auto& [name, text] :
         {std::pair(config_file(one.hash), &one.composed), std::pair(canonical_file(one.hash), &one.canonical)}) {
      std::error_code error;
      if (!fs::is_regular_file(folder / name, error)) {
        fail(verification, "config", name, "is missing");
      } else if (read_file(folder / name) != *text) {
        fail(verification, "config", name, "is not the text of experiment '" + one.name + "' in the database");
      } else {
        pass(verification, "config", name);
      }
    }
  }
}

void check_counts(const StoredEvidence& evidence, Verification& verification) {
  if (!verification.manifest) return;
  const auto evaluations =
      std::ranges::count(evidence.runs, CellKind::eval, [](const EvidenceRun& run) { return run.cell.kind; });
  if (verification.manifest->evaluations != evaluations) {
    fail(verification, "manifest", "evaluations",
         "the manifest says " + std::to_string(verification.manifest->evaluations) + ", the database has " +
             std::to_string(evaluations));
  }
}

/// nullopt: it cannot be read at all.
std::optional<StoredEvidence> check_results(const fs::path& database, bool bundled, const Canonical& canonical,
                                            Verification& verification) {
  StoredEvidence evidence;
  try {
    evidence = read_evidence(database);
  } catch (const Error& error) {
    fail(verification, "database", database.filename().string(), error.what());
    return std::nullopt;
  }
  for (const std::string& damage : evidence.damage)
    fail(verification, "database", database.filename().string(), damage);
  if (evidence.damage.empty()) pass(verification, "database", database.filename().string());
  verification.evaluations =
      std::ranges::count(evidence.runs, CellKind::eval, [](const EvidenceRun& run) { return run.cell.kind; });
  if (verification.evaluations == 0)
    fail(verification, "database", database.filename().string(), "has no finished evaluation: nothing can be checked");
  check_configs(evidence, canonical, verification.checks);
  check_identities(evidence, verification.checks);
  check_numbers(evidence, bundled, verification.checks);
  return evidence;
}

}  // namespace

bool Verification::passed() const { return !checks.empty() && count(CheckStatus::fail) == 0; }

std::int64_t Verification::count(CheckStatus status) const {
  return std::ranges::count(checks, status, &Check::status);
}

Verification verify_folder(const fs::path& folder, const Canonical& canonical) {
  Verification verification{.source = folder};
  check_manifest(folder, verification);
  check_sums(folder, verification);
  if (const auto evidence = check_results(folder / kResultsFile, true, canonical, verification)) {
    check_config_files(folder, *evidence, verification);
    check_counts(*evidence, verification);
  }
  return verification;
}

Verification verify_database(const fs::path& database, const Canonical& canonical) {
  Verification verification{.source = database};
  check_results(database, false, canonical, verification);
  return verification;
}

}  // namespace nearfar
