#include "features/manifest.h"

#include "base/error.h"
#include "base/files.h"
#include "base/hash.h"
#include "base/npy.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <span>

namespace nearfar {
namespace {

namespace fs = std::filesystem;

constexpr const char* kFormat = "nearfar-features-2";

nlohmann::ordered_json key_json(const FeatureKey& key) {
  return {{"format", kFormat},
          {"checkpoint", key.checkpoint},
          {"images", key.images},
          {"preprocess", key.preprocess},
          {"dtype", key.dtype}};
}

/// Shape, size in bytes and content hash of one .npy file.
nlohmann::ordered_json file_json(const fs::path& file) {
  const NpyArray array(file);
  return {
      {"shape", array.shape()}, {"bytes", fs::file_size(file)}, {"xxh3", fmt::format("{:016x}", xxh3(array.bytes()))}};
}

bool file_matches(const fs::path& file, const nlohmann::json& expected, bool full) {
  if (fs::file_size(file) != expected.at("bytes").get<std::uintmax_t>()) return false;
  const NpyArray array(file);
  if (array.shape() != expected.at("shape").get<std::vector<std::int64_t>>()) return false;
  return !full || fmt::format("{:016x}", xxh3(array.bytes())) == expected.at("xxh3").get<std::string>();
}

nlohmann::ordered_json nonfinite_json(const NonFinite& found) {
  return {{"rows", found.rows}, {"first", found.first}, {"value", found.value}, {"image", found.image}};
}

NonFinite nonfinite_from(const nlohmann::json& json) {
  return {json.at("rows"), json.at("first"), json.at("value"), json.at("image")};
}

/// {} where all is well.
nlohmann::ordered_json check_json(const FeatureFacts::Check& check) {
  nlohmann::ordered_json json = nlohmann::ordered_json::object();
  if (check.features.rows > 0) json["features"] = nonfinite_json(check.features);
  if (check.logits.rows > 0) json["logits"] = nonfinite_json(check.logits);
  if (!check.cause.empty()) json["cause"] = check.cause;
  return json;
}

fs::path columns_manifest(const fs::path& folder, const std::string& columns) {
  return columns_file(folder, columns).replace_extension(".json");
}

}  // namespace

bool features_cached(const fs::path& folder, const FeatureKey& key, bool full) {
  try {
    const fs::path file = folder / "manifest.json";
    if (!fs::is_regular_file(file)) return false;
    const nlohmann::json manifest = nlohmann::json::parse(read_file(file));
    if (manifest.at("key") != nlohmann::json(key_json(key))) return false;
    const nlohmann::json& files = manifest.at("files");
    return std::all_of(files.items().begin(), files.items().end(),
                       [&](const auto& item) { return file_matches(folder / item.key(), item.value(), full); });
  } catch (const std::exception&) {
    return false;  // damaged in whatever way: made again
  }
}

FeatureFacts read_facts(const fs::path& folder) try {
  const nlohmann::json manifest = nlohmann::json::parse(read_file(folder / "manifest.json"));
  // Sets of before images were looked at for damage have no "damaged".
  FeatureFacts facts{.images = manifest.at("images"),
                     .unreadable = manifest.at("unreadable").get<std::vector<std::int64_t>>(),
                     .damaged = manifest.value("damaged", std::vector<std::int64_t>{}),
                     .pixels = manifest.at("pixels")};
  if (const auto check = manifest.find("not_finite"); check != manifest.end()) {
    facts.check.emplace();
    if (check->contains("features")) facts.check->features = nonfinite_from(check->at("features"));
    if (check->contains("logits")) facts.check->logits = nonfinite_from(check->at("logits"));
    facts.check->cause = check->value("cause", "");
  }
  return facts;
} catch (const nlohmann::json::exception& error) {
  throw Error(ErrorKind::data, fmt::format("{}: damaged manifest: {}", folder.string(), error.what()));
}

void write_manifest(const fs::path& folder, const FeatureKey& key, const FeatureFacts& facts) {
  nlohmann::ordered_json files;
  for (const char* name : {"features.npy", "logits.npy", "labels.npy"}) {
    if (fs::exists(folder / name)) files[name] = file_json(folder / name);
  }
  nlohmann::ordered_json manifest{{"key", key_json(key)},           {"images", facts.images},
                                  {"unreadable", facts.unreadable}, {"damaged", facts.damaged},
                                  {"pixels", facts.pixels},         {"files", files}};
  if (facts.check) manifest["not_finite"] = check_json(*facts.check);
  write_file_atomic(folder / "manifest.json", manifest.dump(2) + "\n");
}

fs::path columns_file(const fs::path& folder, const std::string& columns) {
  const std::span<const char> text(columns);
  return folder / "observed" / fmt::format("{:016x}.npy", xxh3(std::as_bytes(text)));
}

bool columns_cached(const fs::path& folder, const FeatureKey& key, const std::string& columns) {
  try {
    const fs::path file = columns_manifest(folder, columns);
    if (!fs::is_regular_file(file)) return false;
    const nlohmann::json manifest = nlohmann::json::parse(read_file(file));
    return manifest.at("key") == nlohmann::json(key_json(key)) && manifest.at("columns") == columns &&
           file_matches(columns_file(folder, columns), manifest.at("file"), false);
  } catch (const std::exception&) {
    return false;  // damaged in whatever way: made again
  }
}

void write_columns_manifest(const fs::path& folder, const FeatureKey& key, const std::string& columns) {
  const nlohmann::ordered_json manifest{
      {"key", key_json(key)}, {"columns", columns}, {"file", file_json(columns_file(folder, columns))}};
  write_file_atomic(columns_manifest(folder, columns), manifest.dump(2) + "\n");
}

}  // namespace nearfar
