#include "base/error.h"
#include "base/log.h"
#include "engine/device_use.h"
#include "engine/job.h"
#include "engine/messages.h"
#include "engine/verbs.h"
#include "host/call.h"
#include "train/trainer.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>

namespace nearfar {
namespace {
namespace fs = std::filesystem;

/// The guarded plugin as the trainer wants it.
class GuardedLoss final : public Loss {
 public:
  explicit GuardedLoss(LossHandle& handle) : handle_(handle) {}
  void prepare(const LossSetup& setup) override { handle_.prepare(setup); }
  at::Tensor forward(const LossInput& input) override { return handle_.forward(input); }
  std::vector<LossTensor> state() override { return handle_.state(); }

 private:
  LossHandle& handle_;
};

std::vector<wire::Epoch> history_of(const std::vector<EpochRecord>& history) {
  std::vector<wire::Epoch> rows;
  for (const EpochRecord& epoch : history)
    rows.push_back({epoch.epoch, epoch.loss, epoch.learning_rate, epoch.val_accuracy});
  return rows;
}

const ImageSet* find(const std::vector<ImageSet>& sets, std::string_view name) {
  const auto found = std::find_if(sets.begin(), sets.end(), [&](const ImageSet& set) { return set.name == name; });
  return found == sets.end() ? nullptr : &*found;
}

}  // namespace

void train_cell(const wire::TrainJob& job) {
  const at::Device device = prepare_torch(job.compute);
  DeviceUseMeter meter(device);
  const LoadedPlugin plugin = load_planned(job.loss);
  LossHandle handle(plugin, job.loss.params, plugin.label());
  GuardedLoss loss(handle);
  const JobImages images(job.images, static_cast<int>(job.compute.threads), device);
  const std::vector<ImageSet> sets = images.load(job.sets);
  const ImageSet *train_set = find(sets, "train"), *val_set = find(sets, "val");
  NEARFAR_ASSERT(train_set != nullptr);

  const fs::path out = job.out;
  TrainingTask work;
  work.identity = job.cell;
  work.device = device;
  work.recipe = job.recipe;
  work.traits = handle.traits();
  work.seed = static_cast<std::uint64_t>(job.seed);
  work.train = images.view(*train_set);
  if (val_set != nullptr) work.val = images.view(*val_set);
  work.network = network_spec(job.architecture, work.recipe, work.traits, work.train, images.classes());
  work.folder = out / job.folder;
  work.callbacks.progress = [&](const TrainProgress& now) {
    send_progress(static_cast<double>(now.step), static_cast<double>(now.total_steps),
                  fmt::format("{} epoch {}/{} loss {:.3f}", job.label, now.epoch + 1, work.recipe.epochs, now.loss));
  };
  work.callbacks.should_stop = stop_requested;
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
  log_info(fmt::format("{}: {} images, {} epochs", job.label, train_set->count, work.recipe.epochs));
  const TrainingResult result = train(work, loss);
  if (!result.finished) throw Error(ErrorKind::interrupted, fmt::format("{}: stopped after a checkpoint", job.label));
  log_info(fmt::format("{}: done in {:.1f} s", job.label, result.seconds));
  send(wire::Trained{.cell = job.cell,
                     .seconds = result.seconds,
                     .history = history_of(result.history),
                     .best_epoch = result.best_epoch,
                     .val_accuracy = result.val_accuracy,
                     .classifier = handle.traits().head == HeadKind::linear ? "linear" : "ncm",
                     .device = meter.read(),
                     .artifacts = {artifact("checkpoint", out, result.best), artifact("last", out, result.last)}});
}

}  // namespace nearfar
