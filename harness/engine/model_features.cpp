#include "engine/model_features.h"

#include "base/error.h"
#include "base/hash.h"
#include "base/log.h"
#include "engine/messages.h"
#include "features/extract.h"
#include "models/checkpoint.h"
#include "models/exported/exported_network.h"
#include "models/import.h"
#include "models/torchscript_network.h"

#include <fmt/format.h>

#include <algorithm>

namespace nearfar {
namespace {
namespace fs = std::filesystem;

std::unique_ptr<Network> network_of_job(const wire::Model& model, const JobImages& images, at::Device device) {
  if (model.origin == "trained") return load_network(model.file, device);
  if (model.origin == "exported") {
    return open_exported(model.file, {.feature_node = model.feature_node,
                                      .map_nodes = model.map_nodes,
                                      .channels = images.channels(),
                                      .height = images.height(),
                                      .width = images.width(),
                                      .device = device});
  }
  if (model.origin == "torchscript")
    return open_torchscript(model.file, images.channels(), images.height(), images.width(), device);
  return network_of(import_weights(model.file, {.architecture = model.architecture,
                                                .height = images.height(),
                                                .width = images.width(),
                                                .in_channels = images.channels(),
                                                .mappings = model.mappings}),
                    device);
}

/// SHA-256 of the weights; of foreign ones, Error(data) if they are not the plan's any more.
std::string weights_hash(const wire::Model& model) {
  const std::string found = sha256_file(model.file);
  if (!model.sha256.empty() && model.sha256 != found) {
    throw Error(ErrorKind::data,
                fmt::format("{}: has changed since the plan was made; run the same command again", model.file));
  }
  return found;
}

}  // namespace

ModelFeatures::ModelFeatures(const wire::EvalJob& job, at::Device device)
    : job_(job),
      device_(device),
      sets_(static_cast<double>(std::max<std::size_t>(1, job.fit_sets.size() + job.score_sets.size()))),
      folder_(job.model.features) {
  if (job.model.origin == "features") return;
  images_.emplace(job.images, static_cast<int>(job.compute.loader_threads), device);
  weights_ = weights_hash(job.model);
}
ModelFeatures::~ModelFeatures() = default;

Network& ModelFeatures::network() {
  if (!network_) {
    network_ = network_of_job(job_.model, *images_, device_);
    if (network_->has_head_weights()) write_head(folder_, network_->head());
  }
  return *network_;
}

PassCounts ModelFeatures::ensure(const wire::SetRef& set, const std::vector<Observer>& observers) {
  ++done_;
  if (!images_) {
    if (!observers.empty()) {
      throw Error(ErrorKind::data, fmt::format("{}: features alone have no network to look into", folder_.string()));
    }
    return {};
  }
  if (stop_requested()) throw Error(ErrorKind::interrupted, "stopped between image sets");
  const FeatureKey key{.checkpoint = weights_, .images = set.hash, .preprocess = images_->preprocess()};
  std::int64_t total = 0;
  const auto open = [&] {
    auto stream = images_->open(set);
    total = stream->info().count;
    log_info(fmt::format("{}: features of {} ({} images)", job_.label, set.name, total));
    return stream;
  };
  const auto progress = [&](std::int64_t done) {
    if (stop_requested()) throw Error(ErrorKind::interrupted, "stopped within an image set; it begins again");
    const double share = static_cast<double>(done) / static_cast<double>(std::max<std::int64_t>(1, total));
    send_progress(done_ - 1 + share, std::max(sets_, done_),
                  fmt::format("{} features of {} {}/{}", job_.label, set.name, done, total));
  };
  return ensure_features(
      folder_ / set.name, key, [this]() -> Network& { return network(); }, images_->normalization(), open, observers,
      progress);
}

ImageFaults ModelFeatures::faults(const std::string& set) const {
  if (!fs::exists(folder_ / set / "manifest.json")) return {};
  const FeatureFacts facts = read_facts(folder_ / set);
  return {static_cast<std::int64_t>(facts.unreadable.size()), static_cast<std::int64_t>(facts.damaged.size())};
}

}  // namespace nearfar
