#include "engine/train_data.h"

#include "base/error.h"
#include "base/log.h"
#include "base/memory.h"
#include "device/device.h"
#include "engine/messages.h"
#include "engine/ood_monitor.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <thread>
#include <utility>

namespace nearfar {
namespace {

/// Of all memory, for one set: an eighth; less where more children than four may train at a time, one a core.
std::int64_t memory_for_a_set() {
  return memory_limit() / std::max<std::int64_t>(8, 2 * std::thread::hardware_concurrency());
}

const wire::SetRef* find(const std::vector<wire::SetRef>& sets, std::string_view name) {
  const auto found = std::find_if(sets.begin(), sets.end(), [&](const wire::SetRef& set) { return set.name == name; });
  return found == sets.end() ? nullptr : &*found;
}

TrainPixels pixels_of(const TrainRecipe& recipe) {
  static const std::map<std::string, TrainPixels> names{
      {"prepared", TrainPixels::prepared}, {"files", TrainPixels::files}, {"short-side", TrainPixels::short_side}};
  return names.at(recipe.images);
}

}  // namespace

TrainData::TrainData(const wire::TrainJob& job, const JobImages& images, at::Device device)
    : job_(job), images_(images), device_(device) {
  train_.planned = find(job.sets, "train");
  val_.planned = find(job.sets, "val");
  ood_val_.planned = find(job.sets, "ood_val");
  NEARFAR_ASSERT(train_.planned != nullptr);
  std::vector<wire::SetRef> in_memory;
  for (Set* set : {&train_, &val_, &ood_val_}) {
    if (set->planned == nullptr) continue;
    describe(*set, set == &train_);
    if (!set->streamed) in_memory.push_back(*set->planned);
  }
  std::vector<ImageSet> loaded = images.load(in_memory);
  std::size_t next = 0;
  for (Set* set : {&train_, &val_, &ood_val_}) {
    if (set->planned == nullptr || set->streamed) continue;
    set->whole = std::move(loaded[next++]);
    set->view = images.view(set->whole);
    set->passed.unreadable = set->whole.unreadable;
  }
}

/// Whether it is streamed, and then its view.
void TrainData::describe(Set& set, bool for_steps) {
  if (!images_.is_listed(*set.planned) || job_.recipe.stream == "never") return;
  set.info = images_.describe(*set.planned);
  set.streamed = is_streamed(*set.planned, set.info, for_steps);
  if (!set.streamed) return;
  const Normalization normalization = images_.normalization();
  set.view = {.pixels = {},
              .labels = set.info.labels,
              .count = set.info.count,
              .channels = set.info.channels,
              .height = set.info.height,
              .width = set.info.width,
              .mean = normalization.mean,
              .std = normalization.std};
}

bool TrainData::is_streamed(const wire::SetRef& set, const SetInfo& info, bool for_steps) const {
  if (job_.recipe.stream == "always" || (for_steps && job_.recipe.images != "prepared")) return true;
  const std::int64_t bytes = info.count * info.channels * info.height * info.width, most = memory_for_a_set();
  if (bytes <= most) return false;
  log_info(
      fmt::format("{}: the images of '{}' take {} MiB, more than the {} MiB that a set may fill: they are read "
                  "while it trains",
                  job_.label, set.name, bytes >> 20, most >> 20));
  return true;
}

void TrainData::give(TrainingTask& task) {
  task.train = train_.view;
  if (val_.planned != nullptr) task.val = val_.view;
  if (train_.streamed) {
    task.train_source = {.batches = [this](const AugmentRecipe& recipe, std::uint64_t seed,
                                           std::int64_t batch) { return batches(recipe, seed, batch); },
                         .features = features_of(train_, "train", true)};
  }
  if (val_.streamed) task.val_source.features = features_of(val_, "validation", false);
  if (ood_val_.planned == nullptr) return;
  const auto features = ood_val_.streamed ? features_of(ood_val_, "ood_val", false) : [this](Network& network) {
    return run_network(network, ood_val_.view, 0, [](std::int64_t) { send_alive(); });
  };
  task.callbacks.ood_val = [this, features](Network& network, const FeatureBatch& val) {
    return ood_val_auroc(val, features(network), images_.classes());
  };
}

/// `may_stop`: a long pass when all steps are done; asked to stop, it begins again with the next call.
std::function<FeatureBatch(Network&)> TrainData::features_of(Set& set, const char* what, bool may_stop) const {
  return [this, &set, what, may_stop](Network& network) {
    const auto stream = images_.open(*set.planned, images_at_once(set.info.height, set.info.width));
    const auto progress = [&](std::int64_t done) {
      if (!may_stop) return send_alive();
      if (stop_requested()) throw Error(ErrorKind::interrupted, fmt::format("{}: stopped within a pass", job_.label));
      send_progress(static_cast<double>(done), static_cast<double>(set.info.count),
                    fmt::format("{} features of {} images", job_.label, what));
    };
    return run_network(network, *stream, images_.normalization(), progress, &set.passed);
  };
}

std::unique_ptr<Batches> TrainData::batches(const AugmentRecipe& recipe, std::uint64_t seed, std::int64_t batch) {
  TrainStreamOptions options{.recipe = recipe,
                             .seed = seed,
                             .batch = batch,
                             .pixels = pixels_of(job_.recipe),
                             .side = job_.recipe.short_side,
                             .exact_decoding = job_.recipe.exact_decoding};
  const Normalization normalization = images_.normalization();
  return std::make_unique<StreamedBatches>(images_.open_training(*train_.planned, std::move(options)), recipe.views,
                                           normalization.mean, normalization.std, device_, train_.seen);
}

ImageFaults TrainData::faults() const {
  ImageFaults all;
  for (const Set* set : {&train_, &val_}) {
    all.unreadable += std::max(set->passed.unreadable, static_cast<std::int64_t>(set->seen.unreadable.size()));
    all.damaged += std::max(set->passed.damaged, static_cast<std::int64_t>(set->seen.damaged.size()));
  }
  return all;
}

}  // namespace nearfar
