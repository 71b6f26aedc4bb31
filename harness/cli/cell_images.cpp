#include "cli/cell_images.h"

#include "base/base64.h"
#include "base/error.h"
#include "base/locations.h"
#include "config/document.h"
#include "config/profile.h"
#include "data/benchmark.h"
#include "data/thumbnails.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <map>
#include <optional>
#include <type_traits>
#include <variant>

namespace nearfar {
namespace {

/// Of the experiment: where the data lie, and what decides which images are in a set.
struct Source {
  Benchmark benchmark;
  LoadOptions options;
};
std::optional<Source> source_of(const ResultStore& results, const CellDetails& cell) {
  const auto experiment = results.experiment_with(cell.status.key);
  if (!experiment) return std::nullopt;
  Value document = parse_toml(experiment->composed, "the stored experiment");
  const Value profile = parse_toml(experiment->profile, "the stored paths");
  put_paths(document, profile);
  Source source;
  const auto read = [&](const char* key, auto& target) {
    using T = std::remove_reference_t<decltype(target)>;
    const Value* value = find_value(document, {"data", key});
    if (const T* found = value != nullptr ? std::get_if<T>(&value->data) : nullptr) target = *found;
  };
  std::string root, on_unreadable;
  read("root", root);
  read("on_unreadable", on_unreadable);
  read("limit", source.options.limit);
  read("allow_count_mismatch", source.options.allow_count_mismatch);
  read("follow_links", source.options.follow_links);
  source.options.data_root = root;
  if (on_unreadable == "skip") source.options.on_unreadable = OnUnreadable::skip;
  const Value* file = find_value(profile, {"paths", "benchmarks." + cell.record.benchmark});
  const auto* path = file != nullptr ? std::get_if<std::string>(&file->data) : nullptr;
  source.benchmark = load_benchmark(path != nullptr ? *path : cell.record.benchmark, benchmark_folders({}));
  return source;
}

/// Hashes of the sets as they were scored.
std::map<std::string, std::string> scored_hashes(const ResultStore& results, const CellRecord& cell) {
  std::map<std::string, std::string> hashes;
  for (const BenchmarkRecord& benchmark : results.benchmarks()) {
    if (benchmark.name != cell.benchmark || benchmark.data_hash != cell.data_hash) continue;
    const nlohmann::json definition = nlohmann::json::parse(benchmark.definition_json, nullptr, false);
    if (!definition.is_object() || !definition.contains("sets")) continue;
    for (const nlohmann::json& set : definition.at("sets"))
      hashes.emplace(set.value("name", ""), set.value("hash", ""));
  }
  return hashes;
}

}  // namespace

void add_pictures(const ResultStore& results, const CellDetails& cell, MostConfused& confused,
                  std::vector<std::string>& notes) {
  std::vector<ConfusedImage*> images;
  for (auto* list : {&confused.in, &confused.out}) {
    for (ConfusedImage& image : *list) images.push_back(&image);
  }
  try {
    const std::optional<Source> source = source_of(results, cell);
    if (!source) {
      notes.emplace_back("No pictures: no experiment has this cell any more.");
      return;
    }
    const std::map<std::string, std::string> hashes = scored_hashes(results, cell.record);
    for (const ScoreSetRow& scored : cell.outcome.scores) {
      std::vector<std::int64_t> positions;
      for (const ConfusedImage* image : images) {
        if (image->set == scored.set) positions.push_back(image->position);
      }
      if (positions.empty()) continue;
      const auto hash = hashes.find(scored.set);
      const auto found = thumbnails(source->benchmark, scored.set, source->options, positions, scored.count,
                                    hash == hashes.end() ? "" : hash->second);
      for (ConfusedImage* image : images) {
        if (image->set != scored.set || !found.contains(image->position)) continue;
        const Thumbnail& thumbnail = found.at(image->position);
        image->where = thumbnail.where;
        if (!thumbnail.png.empty()) image->picture = "data:image/png;base64," + base64(thumbnail.png);
      }
    }
  } catch (const Error& error) {
    notes.push_back(fmt::format("Not all pictures are shown: {}.", error.what()));
  }
}

}  // namespace nearfar
