#include "bundle/manifest.h"

#include "base/error.h"
#include "base/files.h"
#include "base/text.h"
#include "bundle/archive.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>

namespace nearfar {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr std::string_view kSchema = "nearfar/bundle";
constexpr std::size_t kMostTextBytes = 300, kMostFileBytes = 64 << 20, kHashDigits = 64;

bool is_plain(std::string_view text) {
  return text.size() <= kMostTextBytes &&
         std::ranges::none_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

std::string bounded(const fs::path& file) {
  std::error_code error;
  const std::uint64_t size = fs::file_size(file, error);
  if (error) throw Error(ErrorKind::data, fmt::format("{}: is missing; every bundle has it", file.string()));
  if (size > kMostFileBytes)
    throw Error(ErrorKind::data,
                fmt::format("{}: has {} bytes, at most {} are expected", file.string(), size, kMostFileBytes));
  return read_file(file);
}

std::string text_of(const Json& document, const char* key, const fs::path& file) {
  std::string text = document.value(key, std::string());
  if (!is_plain(text))
    throw Error(ErrorKind::data, fmt::format("{}: '{}' is longer than {} bytes or has control characters",
                                             file.string(), key, kMostTextBytes));
  return text;
}

BundleManifest manifest_of(const Json& document, const fs::path& file) {
  if (document.value("schema", std::string()) != kSchema)
    throw Error(ErrorKind::data, fmt::format("{}: is no manifest of a bundle", file.string()));
  if (const int version = document.value("version", 0); version < 1 || version > kBundleFormat)
    throw Error(ErrorKind::data, fmt::format("{}: is of format {}, this nearfar knows 1 to {}; use the newest nearfar",
                                             file.string(), version, kBundleFormat));
  BundleManifest manifest{.title = text_of(document, "title", file),
                          .author = text_of(document, "author", file),
                          .url = text_of(document, "url", file),
                          .nearfar_version = text_of(document, "nearfar_version", file)};
  manifest.evaluations = document.value("evaluations", std::int64_t{0});
  manifest.models = document.value("models", std::int64_t{0});
  manifest.cells = document.value("cells", std::int64_t{0});
  manifest.score_files = document.value("score_files", std::int64_t{0});
  manifest.checkpoints = document.value("checkpoints", false);
  manifest.experiments = document.value("experiments", std::vector<std::string>());
  manifest.benchmarks = document.value("benchmarks", std::vector<std::string>());
  return manifest;
}

}  // namespace

std::string bundle_manifest_json(const BundleManifest& manifest) {
  const Json document{{"schema", kSchema},
                      {"version", kBundleFormat},
                      {"title", manifest.title},
                      {"author", manifest.author},
                      {"url", manifest.url},
                      {"nearfar_version", manifest.nearfar_version},
                      {"evaluations", manifest.evaluations},
                      {"models", manifest.models},
                      {"cells", manifest.cells},
                      {"score_files", manifest.score_files},
                      {"checkpoints", manifest.checkpoints},
                      {"experiments", manifest.experiments},
                      {"benchmarks", manifest.benchmarks}};
  return document.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

BundleManifest read_bundle_manifest(const fs::path& folder) {
  const fs::path file = folder / kManifestFile;
  const std::string text = bounded(file);
  try {
    return manifest_of(Json::parse(text), file);
  } catch (const Json::exception& error) {
    throw Error(ErrorKind::data, fmt::format("{}: is no manifest of a bundle: {}", file.string(), error.what()));
  }
}

void check_manifest_text(std::string_view text, std::string_view what) {
  if (!is_plain(text))
    throw Error(
        ErrorKind::config,
        fmt::format("{} is longer than {} bytes or has control characters; give one short line", what, kMostTextBytes));
}

std::string sums_text(const std::map<std::string, std::string>& hashes) {
  std::string text;
  for (const auto& [name, hash] : hashes) text += fmt::format("{}  {}\n", hash, name);
  return text;
}

std::map<std::string, std::string> read_sums(const fs::path& folder) {
  const fs::path file = folder / kSumsFile;
  std::map<std::string, std::string> hashes;
  int number = 0;
  for (const std::string& line : split(bounded(file), '\n')) {
    ++number;
    if (line.empty()) continue;
    const std::string hash = line.substr(0, kHashDigits);
    const bool good = line.size() > kHashDigits + 2 && line.compare(kHashDigits, 2, "  ") == 0 &&
                      hash.find_first_not_of("0123456789abcdef") == std::string::npos &&
                      is_archive_name(line.substr(kHashDigits + 2));
    if (!good || !hashes.emplace(line.substr(kHashDigits + 2), hash).second)
      throw Error(ErrorKind::data, fmt::format("{}:{}: expected 'HASH  NAME', each name once", file.string(), number));
  }
  return hashes;
}

std::string config_file(std::string_view hash) { return fmt::format("configs/{}.toml", hash); }
std::string canonical_file(std::string_view hash) { return fmt::format("configs/{}.canonical.txt", hash); }

}  // namespace nearfar
