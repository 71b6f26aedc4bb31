#include "engine/job.h"

#include "config/experiment.h"
#include "engine/cuda.h"

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <fmt/format.h>

namespace nearfar {
namespace {
// Also the batch of the network: large enough for convolutions to run at full speed, small enough at 224 pixels.
constexpr std::int64_t kSlabImages = 64;
}  // namespace

void prepare_torch(const nlohmann::json& job) {
  if (job.value("device", "cpu") == "cuda") require_cuda();
  const int threads = job.value("threads", 1);
  at::set_num_threads(threads);
  at::set_num_interop_threads(1);
  at::globalContext().setDeterministicAlgorithms(job.value("deterministic", true), /*warn_only=*/true);
  at::globalContext().setDeterministicFillUninitializedMemory(false);
}

PluginSearch plugin_search(const nlohmann::json& job) {
  PluginSearch search{.directories = {}, .environment = true, .installed = job.at("installed").get<std::string>()};
  for (const auto& directory : job.at("directories")) search.directories.emplace_back(directory.get<std::string>());
  return search;
}

LoadedPlugin plugin_of(const nlohmann::json& job) {
  LoadedPlugin plugin = load_plugin(job.at("path").get<std::string>());
  const std::string planned = job.at("source_hash");
  if (plugin.description().source_hash != planned) {
    throw Error(ErrorKind::plugin, fmt::format("{}: was rebuilt from other sources since the plan was made (found {}, "
                                               "planned {}); run the same command again",
                                               plugin.label(), plugin.description().source_hash, planned));
  }
  return plugin;
}

ParamMap params_of(const nlohmann::json& job) { return params_from_json(job.at("params").dump()); }

std::vector<PlannedSet> planned_sets(const nlohmann::json& sets) {
  std::vector<PlannedSet> result;
  for (const auto& set : sets) result.push_back({set.at("name"), set.at("hash")});
  return result;
}

JobImages::JobImages(const nlohmann::json& job) : benchmark_(load_benchmark(job.at("benchmark"), {})) {
  const auto& data = job.at("data");
  options_ = {.data_root = data.at("root").get<std::string>(),
              .limit = data.at("limit"),
              .allow_count_mismatch = data.at("allow_count_mismatch"),
              .on_unreadable = data.at("on_unreadable") == "skip" ? OnUnreadable::skip : OnUnreadable::fail,
              .follow_links = data.at("follow_links"),
              .packed = data.at("packed").get<std::string>(),
              .threads = job.value("threads", 1)};
}

void JobImages::check_planned(const PlannedSet& planned, const std::string& found) const {
  if (found == planned.hash) return;
  throw Error(ErrorKind::data, fmt::format("image set '{}' of {}: contents have changed since the plan was made (found "
                                           "{}, planned {}); run the same command again",
                                           planned.name, benchmark_.file.string(), found, planned.hash));
}

std::vector<ImageSet> JobImages::load(const std::vector<PlannedSet>& sets) const {
  std::vector<std::string> names;
  for (const PlannedSet& set : sets) names.push_back(set.name);
  std::vector<ImageSet> loaded = load_sets(benchmark_, names, options_);
  for (std::size_t i = 0; i < sets.size(); ++i) check_planned(sets[i], loaded[i].hash);
  return loaded;
}

std::unique_ptr<ImageStream> JobImages::open(const PlannedSet& set) const {
  auto stream = open_stream(benchmark_, set.name, options_, kSlabImages);
  check_planned(set, stream->info().hash);
  return stream;
}

std::string JobImages::preprocess() const {
  return fmt::format("uint8-normalize-2 mean {} std {}", fmt::join(benchmark_.mean, " "),
                     fmt::join(benchmark_.std, " "));
}

ImageView JobImages::view(const ImageSet& set) const {
  return {.pixels = set.pixels,
          .labels = set.labels,
          .count = set.count,
          .channels = set.channels,
          .height = set.height,
          .width = set.width,
          .mean = benchmark_.mean,
          .std = benchmark_.std};
}

}  // namespace nearfar
