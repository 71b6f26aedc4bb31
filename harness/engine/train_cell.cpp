#include "base/error.h"
#include "base/log.h"
#include "device/device.h"
#include "engine/device_use.h"
#include "engine/event_file.h"
#include "engine/initial.h"
#include "engine/job.h"
#include "engine/local_ranks.h"
#include "engine/messages.h"
#include "engine/train_data.h"
#include "engine/verbs.h"
#include "host/call.h"
#include "train/trainer.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <map>
#include <optional>

namespace nearfar {
namespace {
namespace fs = std::filesystem;

/// What is told of a training while it goes on: progress, rates of its epochs, and event files for TensorBoard.
class Reporter {
 public:
  explicit Reporter(const wire::TrainJob& job) : job_(job) {}

  void step(const TrainProgress& now, at::Device device) {
    step_ = now.step;
    if (job_.tensorboard && !events_) events_.emplace(fs::path(job_.out) / job_.folder / "tensorboard", now.step);
    std::string note = fmt::format("{} epoch {}/{} loss {:.3f}, {:.0f} images/s", job_.label, now.epoch + 1,
                                   job_.recipe.epochs, now.loss, now.images_per_second);
    if (!device.is_cpu())
      note += fmt::format(", {:.1f} GiB", static_cast<double>(device_memory(device).peak) / (1 << 30));
    send_progress(static_cast<double>(now.step), static_cast<double>(now.total_steps), note);
  }

  void epoch(const EpochRecord& record, double images_per_second) {
    rates_[record.epoch] = images_per_second;
    if (!events_) return;
    std::vector<std::pair<std::string, double>> scalars{{"train/loss", record.loss},
                                                        {"train/learning_rate", record.learning_rate},
                                                        {"train/images_per_second", images_per_second}};
    if (record.gradient_norm) scalars.emplace_back("train/gradient_norm", *record.gradient_norm);
    if (record.ood_val_auroc) scalars.emplace_back("val/ood_auroc", *record.ood_val_auroc);
    if (record.val_accuracy) scalars.emplace_back("val/accuracy", *record.val_accuracy);
    events_->add(step_, scalars);
  }

  std::vector<wire::Epoch> history(const std::vector<EpochRecord>& records) const {
    std::vector<wire::Epoch> rows;
    for (const EpochRecord& record : records) {
      rows.push_back({.epoch = record.epoch,
                      .loss = record.loss,
                      .learning_rate = record.learning_rate,
                      .val_accuracy = record.val_accuracy,
                      .gradient_norm = record.gradient_norm,
                      .ood_val_auroc = record.ood_val_auroc});
      if (const auto rate = rates_.find(record.epoch); rate != rates_.end())
        rows.back().images_per_second = rate->second;
    }
    return rows;
  }

 private:
  const wire::TrainJob& job_;
  std::int64_t step_ = 0;
  std::map<std::int64_t, double> rates_;
  std::optional<EventFile> events_;
};

/// train(), and where another process was lost, which and how.
TrainingResult train_together(const TrainingTask& work, Loss& loss, const Companions& with) {
  try {
    TrainingResult result = train(work, loss);
    if (with.local) with.local->finish();
    return result;
  } catch (const NonFiniteLoss&) {
    throw;
  } catch (const Error& error) {
    const std::string dead = with.local ? with.local->casualty() : "";
    if (dead.empty()) throw;
    throw Error(error.kind(), fmt::format("{}; {}", dead, error.what()));
  }
}

}  // namespace

void train_cell(const wire::TrainJob& job) {
  const at::Device device = prepare_torch(compute_of_rank(job));
  DeviceUseMeter meter(device);
  const LoadedPlugin plugin = load_planned(job.loss);
  LossHandle loss(plugin, job.loss.params, plugin.label());
  const JobImages images(job.images, static_cast<int>(job.compute.loader_threads), device);
  TrainData data(job, images, device);

  const fs::path out = job.out;
  TrainingTask work;
  work.identity = job.cell;
  work.device = device;
  work.recipe = job.recipe;
  work.traits = loss.traits();
  work.seed = static_cast<std::uint64_t>(job.seed);
  data.give(work);
  work.network = network_spec(job.architecture, work.recipe, work.traits, work.train, images.classes());
  work.folder = out / job.folder;
  Reporter reporter(job);
  work.callbacks.progress = [&](const TrainProgress& now) { reporter.step(now, device); };
  work.callbacks.epoch = [&](const EpochRecord& record, double rate) { reporter.epoch(record, rate); };
  work.callbacks.should_stop = stop_requested;
  work.callbacks.alive = send_alive;
  if (!job.initial.empty()) work.callbacks.initialize = [&](Network& network) { start_from_checkpoint(job, network); };
  // The handle guards forward(); what is left is backward() through autograd functions that the plugin may bring.
  work.callbacks.guard = [&](const std::function<void()>& call) {
    try {
      call();
    } catch (const Error&) {
      throw;
    } catch (...) {
      rethrow_plugin_error(plugin.label(), "backward");
    }
  };
  const Companions companions = find_companions(job);
  work.group = companions.group.get();
  const bool leads = work.group == nullptr || work.group->rank() == 0;
  if (!leads) work.callbacks.progress = nullptr, work.callbacks.epoch = nullptr;
  log_info(
      fmt::format("{}: {} images{}, {} epochs{}", job.label, work.train.count, data.is_streamed() ? " from files" : "",
                  work.recipe.epochs,
                  work.group == nullptr ? "" : fmt::format(", rank {} of {}", work.group->rank(), work.group->size())));
  if (work.group != nullptr && !device.is_cpu()) {
    const std::string way = work.group->use(device);
    if (leads) log_info(fmt::format("{}: the ranks' gradients go by {}", job.label, way));
  }
  const TrainingResult result = train_together(work, loss, companions);
  if (!leads && result.finished) return;
  if (!result.finished) throw Error(ErrorKind::interrupted, fmt::format("{}: stopped after a checkpoint", job.label));
  log_info(fmt::format("{}: done in {:.1f} s", job.label, result.seconds));
  const ImageFaults faults = data.faults();
  send(wire::Trained{.cell = job.cell,
                     .seconds = result.seconds,
                     .history = reporter.history(result.history),
                     .best_epoch = result.best_epoch,
                     .val_accuracy = result.val_accuracy,
                     .classifier = loss.traits().head == HeadKind::linear ? "linear" : "ncm",
                     .unreadable = faults.unreadable,
                     .damaged = faults.damaged,
                     .device = meter.read(),
                     .artifacts = {artifact("checkpoint", out, result.best), artifact("last", out, result.last)}});
}

}  // namespace nearfar
