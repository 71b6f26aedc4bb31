#include "engine/model.h"

#include "base/error.h"
#include "base/hash.h"
#include "base/log.h"
#include "engine/messages.h"
#include "features/accuracy.h"
#include "features/extract.h"
#include "features/quality.h"
#include "models/checkpoint.h"
#include "models/import.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

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
    throw Error(ErrorKind::data,
                fmt::format("{}: has changed since the plan was made; run the same command again", file.string()));
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

ModelFeatures::ModelFeatures(const json& job, std::size_t sets)
    : job_(job), sets_(static_cast<double>(std::max<std::size_t>(1, sets))) {
  const json& model = job.at("model");
  if (model.at("origin") == "features") {
    folder_ = model.at("folder").get<std::string>();
    return;
  }
  folder_ = fs::path(job.at("out").get<std::string>()) / job.at("features").get<std::string>();
  images_.emplace(job);
  weights_ = weights_hash(model);
}
ModelFeatures::~ModelFeatures() = default;

Network& ModelFeatures::network() {
  if (!network_) {
    network_ = network_of_job(job_);
    if (network_->has_classifier()) write_head(folder_, network_->head());
  }
  return *network_;
}

void ModelFeatures::ensure(const PlannedSet& set, const std::vector<Observer>& observers) {
  ++done_;
  if (!images_) {
    if (!observers.empty())
      throw Error(ErrorKind::data, fmt::format("{}: features alone have no network to look into", folder_.string()));
    return;
  }
  if (stop_requested()) throw Error(ErrorKind::interrupted, "stopped between image sets");
  const FeatureKey key{.checkpoint = weights_, .images = set.hash, .preprocess = images_->preprocess()};
  const std::string label = job_.at("label");
  std::int64_t total = 0;
  const auto open = [&] {
    auto stream = images_->open(set);
    total = stream->info().count;
    log_info(fmt::format("{}: features of {} ({} images)", label, set.name, total));
    return stream;
  };
  const PassCounts counts = ensure_features(
      folder_ / set.name, key, [this]() -> Network& { return network(); }, images_->normalization(), open, observers,
      [&](std::int64_t done) {
        if (stop_requested()) throw Error(ErrorKind::interrupted, "stopped within an image set; it begins again");
        send_progress(done_ - 1 + static_cast<double>(done) / static_cast<double>(std::max<std::int64_t>(1, total)),
                      std::max(sets_, done_), fmt::format("{} features of {} {}/{}", label, set.name, done, total));
      });
  if (counts.forward != 0) passes_.push_back({set.name, counts});
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
    const Classification result =
        linear ? linear_accuracy(batch.logits, batch.labels)
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

json classifier_quality(const FeatureFolder& folder, const ModelAccuracy& accuracy) {
  if (accuracy.classifier.empty()) return nullptr;
  constexpr std::int64_t kBins = 15;
  const bool linear = accuracy.classifier == "linear";
  const FeatureBatch test = folder.set("test", linear ? kLogits : kFeatures);
  if (test.labels.numel() == 0) return nullptr;
  const FeatureBatch train = linear ? FeatureBatch{} : folder.set("train", kFeatures);
  const Classification result =
      linear ? linear_accuracy(test.logits, test.labels)
             : ncm_accuracy(train.features, train.labels, folder.classes(), test.features, test.labels);
  json quality{{"set", "test"},
               {"classifier", accuracy.classifier},
               {"images", test.labels.numel()},
               {"accuracy", result.accuracy},
               {"nll", nullptr},
               {"ece", nullptr},
               {"ece_bins", kBins},
               {"classes", json::array()}};
  if (linear) {
    const Calibration found = calibration(test.logits, test.labels, kBins);
    quality["nll"] = found.nll;
    quality["ece"] = found.ece;
  }
  const std::vector<ClassCount> counts = count_classes(result.predictions, test.labels, folder.classes());
  for (std::size_t c = 0; c < counts.size(); ++c)
    quality["classes"].push_back({{"class", c}, {"images", counts[c].images}, {"correct", counts[c].correct}});
  return quality;
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
