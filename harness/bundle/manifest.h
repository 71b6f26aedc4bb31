#pragma once
/// What a bundle says of itself, and the layout of its folder (docs/decisions/0030-bundles.md). Safe from any thread.
///
///   manifest.json   this                       SHA256SUMS   every other file, as `sha256sum -c` reads it
///   results.sqlite  store/extract.h's target   configs/HASH.toml, configs/HASH.canonical.txt   of every experiment
///   scores/KEY/SET.npy                         checkpoints/KEY/FILE, where asked for
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace nearfar {

inline constexpr int kBundleFormat = 1;  ///< higher: older programs refuse it
inline constexpr std::string_view kManifestFile = "manifest.json", kSumsFile = "SHA256SUMS",
                                  kResultsFile = "results.sqlite";

struct BundleManifest {
  std::string title = {}, author = {}, url = {};  ///< as their maker gave them; may be empty
  std::string nearfar_version = {};               ///< that made the bundle
  std::int64_t evaluations = 0, models = 0, cells = 0, score_files = 0;
  bool checkpoints = false;
  std::vector<std::string> experiments = {};  ///< "NAME HASH"
  std::vector<std::string> benchmarks = {};   ///< "NAME HASH"
};

std::string bundle_manifest_json(const BundleManifest& manifest);
/// Of an untrusted file: texts are one line of at most 300 bytes, without control characters. Error(data) for what is
/// not there, no manifest, or of a newer format.
BundleManifest read_bundle_manifest(const std::filesystem::path& folder);
/// Error(config) for a title, author or url that read_bundle_manifest() would refuse.
void check_manifest_text(std::string_view text, std::string_view what);

/// "HASH  NAME\n", by name.
std::string sums_text(const std::map<std::string, std::string>& hashes);
/// Name → hash. Error(data) for a line that is none of these, a name twice, or the file not there.
std::map<std::string, std::string> read_sums(const std::filesystem::path& folder);

/// Where the texts of a config lie: "configs/HASH.toml" and "configs/HASH.canonical.txt".
std::string config_file(std::string_view hash);
std::string canonical_file(std::string_view hash);

}  // namespace nearfar
