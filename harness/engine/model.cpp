#include "engine/model.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "base/error.h"
#include "base/hash.h"
#include "base/log.h"
#include "engine/messages.h"
#include "features/accuracy.h"
#include "features/extract.h"
#include "models/checkpoint.h"
#include "models/import.h"

namespace nearfar {
namespace {
namespace fs = std::filesystem;
using nlohmann::json;

std::unique_ptr<Network> network_of_job(const json& job) {
  const json& model = job.at("model");
  const fs::path file = model.at("checkpoint").get<std::string>();
  if (model.at("origin") == "trained") return load_network(file);
  const JobImages images(job);
  return network_of(import_weights(file, {.architecture = model.at("architecture"),
                                          .height = images.height(),
                                          .width = images.width(),
                                          .in_channels = images.channels(),
                                          .mappings = model.at("mappings").get<std::string>()}));
}

/// SHA-256 of the weights; of foreign ones, Error(data) if they are not the plan's any more.
std::string weights_hash(const json& model) {
  const fs::path file = model.at("checkpoint").get<std::string>();
  const std::string found = sha256_file(file);
  if (model.contains("sha256") && model.at("sha256") != found) {
    throw Error(ErrorKind::data, fmt::format("{}: has changed since the plan was made; run the same command again", file.string()));
  }
  return found;
}

struct Counts {
  std::int64_t correct = 0, all = 0;
};

Counts count(const Classification& result) {
  const std::int64_t all = result.predictions.size(0);
  return {all == 0 ? 0 : std::llround(result.accuracy * static_cast<double>(all)), all};
}

}  // namespace

fs::path collect_features(const json& job, const std::vector<PlannedSet>& sets) {
  const json& model = job.at("model");
  if (model.at("origin") == "features") return model.at("folder").get<std::string>();
  const fs::path folder = fs::path(job.at("out").get<std::string>()) / job.at("features").get<std::string>();
  const JobImages images(job);
  const std::string weights = weights_hash(model);
  const auto key = [&](const PlannedSet& set) {
    return FeatureKey{.checkpoint = weights, .images = set.hash, .preprocess = images.preprocess()};
  };
  std::vector<PlannedSet> missing;
  for (const PlannedSet& set : sets) {
    if (!features_cached(folder / set.name, key(set))) missing.push_back(set);
  }
  if (missing.empty()) return folder;
  const auto network = network_of_job(job);
  if (network->has_classifier()) write_head(folder, network->head());
  const std::string label = job.at("label");
  double sets_done = 0;
  for (const PlannedSet& set : missing) {
    if (stop_requested()) throw Error(ErrorKind::interrupted, "stopped between image sets");
    std::int64_t total = 0;
    const auto open = [&] {
      auto stream = images.open(set);
      total = stream->info().count;
      log_info(fmt::format("{}: features of {} ({} images)", label, set.name, total));
      return stream;
    };
    ensure_features(folder / set.name, key(set), *network, images.normalization(), open, [&](std::int64_t done) {
      if (stop_requested()) throw Error(ErrorKind::interrupted, "stopped within an image set; it begins again");
      send_progress(sets_done + static_cast<double>(done) / static_cast<double>(std::max<std::int64_t>(1, total)),
                    static_cast<double>(missing.size()), fmt::format("{} features of {} {}/{}", label, set.name, done, total));
    });
    ++sets_done;
  }
  return folder;
}

ModelAccuracy model_accuracy(const json& job, const FeatureFolder& folder) {
  const bool linear = fs::exists(folder.path() / "test/logits.npy");
  const bool ncm = !linear && folder.has("train") && fs::exists(folder.path() / "train/features.npy");
  if (!(linear || ncm) || !fs::exists(folder.path() / "test/labels.npy")) return {};
  const FeatureBatch train = ncm ? folder.set("train", kFeatures) : FeatureBatch{};
  std::map<std::string, Counts> counts;
  const auto of_set = [&](const std::string& name) {
    const auto found = counts.find(name);
    if (found != counts.end()) return found->second;
    const FeatureBatch batch = folder.set(name, linear ? kLogits : kFeatures);
    if (!batch.labels.defined()) return Counts{};
    const Classification result = linear ? linear_accuracy(batch.logits, batch.labels)
                                         : ncm_accuracy(train.features, train.labels, folder.classes(), batch.features, batch.labels);
    return counts[name] = count(result);
  };
  ModelAccuracy accuracy{.classifier = linear ? "linear" : "ncm", .rows = {}};
  for (const json& protocol : job.at("protocols")) {
    Counts pooled = of_set("test");
    for (const json& set : protocol.at("csid")) {
      const Counts more = of_set(set.get<std::string>());
      pooled.correct += more.correct;
      pooled.all += more.all;
    }
    if (pooled.all == 0) continue;
    accuracy.rows.push_back({protocol.at("name"), protocol.at("csid").empty() ? "test" : "test+csid",
                             static_cast<double>(pooled.correct) / static_cast<double>(pooled.all)});
  }
  return accuracy;
}

std::int64_t unreadable_images(const fs::path& folder, const std::vector<PlannedSet>& sets) {
  std::int64_t count = 0;
  for (const PlannedSet& set : sets) {
    if (fs::exists(folder / set.name / "manifest.json"))
      count += static_cast<std::int64_t>(read_facts(folder / set.name).unreadable.size());
  }
  return count;
}

}  // namespace nearfar
