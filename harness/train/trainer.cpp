#include "train/trainer.h"

#include "base/error.h"
#include "base/log.h"
#include "base/stopwatch.h"
#include "features/accuracy.h"
#include "features/extract.h"
#include "models/shared_norm.h"
#include "train/averages.h"
#include "train/batches.h"
#include "train/check_task.h"
#include "train/folder.h"
#include "train/loss_output.h"
#include "train/optimizer.h"
#include "train/random.h"
#include "train/schedule.h"
#include "train/step.h"

#include <ATen/ops/full.h>
#include <c10/core/GradMode.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>

namespace nearfar {
namespace {

namespace fs = std::filesystem;

enum SeedStage : std::uint64_t { kInitSeed = 1, kDataSeed = 2, kStepSeed = 3, kLossSeed = 4 };
constexpr double kAverageWeight = 0.2;  // of OpenOOD's contrastive trainers

/// Optimiser steps of an epoch; a rest of less than two images for each rank makes none.
std::int64_t steps_per_epoch(std::int64_t images, std::int64_t batch_size, int ranks) {
  return images / batch_size + (images % batch_size >= 2 * ranks ? 1 : 0);
}

FeatureBatch features_of(Network& network, const ImageView& images, const ImageSource& source,
                         const std::function<void()>& alive) {
  if (source.features) return source.features(network);
  return run_network(network, images, 0, [&](std::int64_t) {
    if (alive) alive();
  });
}

/// One run of train(): what is trained, and where it stands.
class Training {
 public:
  Training(const TrainingTask& task, Loss& loss)
      : task_(task),
        loss_(loss),
        steps_per_epoch_(steps_per_epoch(task.train.count, task.recipe.batch_size, ranks_of(task))),
        total_steps_(steps_per_epoch_ * task.recipe.epochs),
        data_seed_(derive_seed(task.seed, kDataSeed)),
        folder_(task.folder, task.recipe.keep_checkpoints),
        network_(make_network(task.network, derive_seed(task.seed, kInitSeed), task.device)) {
    if (total_steps_ < 1) throw Error(ErrorKind::data, fmt::format("{} train images are too few", task.train.count));
    if (task.callbacks.initialize) task.callbacks.initialize(*network_);
    const LossSetup setup{.classes = task_.network.classes,
                          .output_width = network_->output_dim(),
                          .feature_width = network_->feature_dim(),
                          .device = task.device,
                          .seed = derive_seed(task.seed, kLossSeed)};
    call_loss([&] { loss_.prepare(setup); });
    call_loss([&] { loss_state_ = loss_.state(); });
    trained_ = parameters();
    optimizer_ = std::make_unique<Optimizer>(trained_, optimizer_options(task.recipe));
    if (task.recipe.ema_decay > 0) average_ = std::make_unique<WeightAverage>(trained_, task.recipe.ema_decay);
    state_.identity = task.identity;
    state_.spec = task.network;
  }

  /// Goes on from the newest checkpoint of this training that is whole.
  void resume() {
    if (leads()) resume_here();
    if (task_.group == nullptr) return;
    const at::Tensor step = at::full({1}, state_.step, at::kLong);
    task_.group->broadcast(step);
    state_.step = *step.const_data_ptr<std::int64_t>();
    if (state_.step > 0) share_state();
  }

  void resume_here() {
    folder_.resume(task_.identity, task_.network,
                   [&](Checkpoint saved, const std::string& file) { restore(std::move(saved), file); });
  }

  /// What rank 0 has read, to the others.
  void share_state() {
    const c10::AutoGradMode no_gradients(false);
    for (const NamedTensor& named : network_->named_tensors()) task_.group->broadcast(named.tensor);
    for (const NamedTensor& named : loss_tensors()) task_.group->broadcast(named.tensor);
    if (average_) {
      for (const NamedTensor& named : average_->tensors()) task_.group->broadcast(named.tensor);
    }
    const std::vector<OptimizerTensor> kept = optimizer_->tensors();
    for (const OptimizerTensor& one : kept) task_.group->broadcast(one.tensor);
    optimizer_->restore(kept);
  }

  /// The loop. Returns true when all epochs are done, false when asked to stop.
  bool run() {
    network_->train(true);
    losses_read_ = state_.step;
    if (task_.traits.wants_class_means && state_.step == 0) {
      const at::Tensor means = class_means(*network_, task_.traits, start_features());
      if (task_.group != nullptr) task_.group->broadcast(means);  // machines may round differently
      call_loss([&] { loss_.start(means); });
      if (average_) average_->restart();  // it may have set parameters
    }
    const bool was_finished = state_.step == total_steps_;
    if (!was_finished) prepare_steps();
    while (state_.step < total_steps_) {
      const std::int64_t epoch = state_.step / steps_per_epoch_, end = (epoch + 1) * steps_per_epoch_;
      step_->begin_epoch(epoch, permutation(data_seed_, epoch, task_.train.count),
                         state_.step - epoch * steps_per_epoch_);
      epoch_began_ = Stopwatch();
      epoch_began_at_ = state_.step;
      while (state_.step < end) {
        const bool stop = stop_is_wanted();
        if (leads() && (stop || save_is_due())) {
          read_losses(epoch);
          save_last();
        }
        if (stop) return false;
        step(epoch);
      }
      read_losses(epoch);
      if (leads()) {
        finish_epoch(epoch, images_per_second());
      } else {
        state_.epoch_loss_sum = 0;
      }
    }
    if (leads()) {
      if (was_finished) measure_what_is_missing();
      folder_.finish();
    }
    return true;
  }

  const Checkpoint& state() const { return state_; }

 private:
  bool leads() const { return task_.group == nullptr || task_.group->rank() == 0; }

  FeatureBatch start_features() {
    return task_.val.count > 0 ? features_of(*network_, task_.val, task_.val_source, task_.callbacks.alive)
                               : features_of(*network_, task_.train, task_.train_source, task_.callbacks.alive);
  }

  /// By any rank: all stop at the same step.
  bool stop_is_wanted() const {
    const bool here = task_.callbacks.should_stop && task_.callbacks.should_stop();
    if (task_.group == nullptr) return here;
    const at::Tensor votes = at::full({1}, here ? 1.0 : 0.0, at::kFloat);
    task_.group->sum(votes);
    return *votes.const_data_ptr<float>() > 0;
  }

  void step(std::int64_t epoch) {
    const double rate = learning_rate(state_.step, steps_per_epoch_, task_.recipe);
    step_->run(state_.step, rate);
    ++state_.step;
    if (task_.device.is_cpu()) read_losses(epoch);  // they are at hand; on a device that would be a wait
    if (task_.callbacks.progress)
      task_.callbacks.progress({state_.step, total_steps_, epoch, last_loss_, rate, images_per_second()});
  }

  /// Of the steps since they were last read.
  void read_losses(std::int64_t epoch) {
    const std::int64_t before = epoch * steps_per_epoch_;
    for (const double loss : step_->losses(losses_read_ - before, state_.step - before)) {
      if (!std::isfinite(loss)) throw NonFiniteLoss(nonfinite_text(loss, epoch, losses_read_));
      state_.loss_average =
          losses_read_ == 0 ? loss : (1 - kAverageWeight) * state_.loss_average + kAverageWeight * loss;
      state_.epoch_loss_sum += loss;
      last_loss_ = loss;
      ++losses_read_;
    }
  }

  std::string nonfinite_text(double loss, std::int64_t epoch, std::int64_t step) const {
    const std::int64_t first = (step - epoch * steps_per_epoch_) * task_.recipe.batch_size;
    const std::vector<std::int64_t> order = permutation(data_seed_, epoch, task_.train.count);
    const auto begin = order.begin() + first;
    const auto end = begin + std::min(task_.recipe.batch_size, task_.train.count - first);
    constexpr std::ptrdiff_t kNamed = 8;
    const bool all = end - begin <= kNamed;
    return fmt::format(
        "the loss is {} at epoch {}, step {} (learning rate {:.4g}; train images {}{} of its batch); a lower learning "
        "rate or a longer warm-up may help",
        loss, epoch, step, learning_rate(step, steps_per_epoch_, task_.recipe),
        fmt::join(begin, all ? end : begin + kNamed, ", "), all ? "" : ", …");
  }

  void finish_epoch(std::int64_t epoch, double images_per_second) {
    EpochRecord record;
    record.epoch = epoch;
    record.loss = state_.epoch_loss_sum / static_cast<double>(steps_per_epoch_);
    record.learning_rate = learning_rate(state_.step - 1, steps_per_epoch_, task_.recipe);
    if (const double norm = step_->gradient_norm(); std::isfinite(norm)) record.gradient_norm = norm;
    const bool classifier = network_->has_classifier();
    if ((classifier || task_.callbacks.ood_val) && task_.val.count > 0) {
      Network& judged = evaluated();
      const FeatureBatch val = features_of(judged, task_.val, task_.val_source, task_.callbacks.alive);
      if (classifier) record.val_accuracy = linear_accuracy(val.logits, val.labels).accuracy;
      if (task_.callbacks.ood_val) record.ood_val_auroc = task_.callbacks.ood_val(judged, val);
    }
    state_.history.push_back(record);
    state_.epoch_loss_sum = 0;

    const double value = classifier ? record.val_accuracy.value_or(0) : state_.loss_average;
    const bool better = state_.best_epoch < 0 || (classifier ? value >= state_.best_value : value <= state_.best_value);
    if (better) {
      state_.best_epoch = epoch;
      state_.best_value = value;
      state_.best_sha256.clear();
      Checkpoint best = state_;
      best.network = evaluated().named_tensors();
      best.loss = loss_tensors();
      state_.best_sha256 = folder_.write_best(best);
    }
    const std::int64_t every = task_.recipe.checkpoint_every_epochs;
    if (state_.step == total_steps_ || (every > 0 && (epoch + 1) % every == 0)) save_last();
    if (task_.callbacks.epoch) task_.callbacks.epoch(record, images_per_second);
  }

  /// Of a training that was finished before anybody asked for the AUROC of its epochs: the last one's, which is what it
  /// would have been.
  void measure_what_is_missing() {
    if (state_.history.empty()) return;
    EpochRecord& last = state_.history.back();
    if (!task_.callbacks.ood_val || last.ood_val_auroc || task_.val.count == 0) return;
    Network& judged = evaluated();
    last.ood_val_auroc =
        task_.callbacks.ood_val(judged, features_of(judged, task_.val, task_.val_source, task_.callbacks.alive));
    if (last.ood_val_auroc) save_last();
  }

  bool save_is_due() const {
    const double minutes = task_.recipe.checkpoint_every_minutes;
    return minutes > 0 && since_save_.seconds() >= 60 * minutes;
  }

  void save_last() {
    Checkpoint whole = state_;
    whole.network = network_->named_tensors();
    whole.optimizer = optimizer_->state();
    if (average_) whole.ema = average_->tensors();
    whole.loss = loss_tensors();
    folder_.write_last(whole);
    since_save_ = Stopwatch();
  }

  /// The network that is judged, in training mode or not: the trained one, or a copy with the averages of its weights
  /// and with the head divided as the loss's traits say.
  Network& evaluated() {
    const bool divided = task_.traits.feature_temperature > 0;
    if (!average_ && !divided) return *network_;
    if (!evaluated_) evaluated_ = make_empty_network(task_.network, task_.device);
    std::vector<NamedTensor> tensors = network_->named_tensors();
    for (NamedTensor& named : tensors) {
      const NamedTensor* average = average_ ? find(average_->tensors(), named.name) : nullptr;
      if (average != nullptr) named.tensor = average->tensor;
      if (divided && named.name == "head.weight")
        named.tensor = named.tensor.detach().div(task_.traits.evaluated_temperature);
    }
    load_tensors(*evaluated_, tensors, "the evaluated network");
    return *evaluated_;
  }

  /// Checks everything first, so that a checkpoint which does not fit leaves what was made for a start as it is.
  void restore(Checkpoint saved, const std::string& file) {
    check_tensors(saved.spec, saved.network, file);
    check_state("loss", loss_tensors(), saved.loss, file);
    if (average_) check_state("ema", average_->tensors(), saved.ema, file);
    optimizer_->restore(saved.optimizer);
    load_tensors(*network_, saved.network, file);
    copy_state(loss_tensors(), saved.loss);
    if (average_) copy_state(average_->tensors(), saved.ema);
    for (auto* tensors : {&saved.network, &saved.ema, &saved.loss}) tensors->clear();
    saved.optimizer.clear();
    state_ = std::move(saved);
  }

  void prepare_steps() {
    const AugmentRecipe augmented = augmentation(task_.recipe, task_.traits);
    if (task_.train_source.batches) {
      const int rank = task_.group != nullptr ? task_.group->rank() : 0;
      batches_ = task_.train_source.batches(augmented, data_seed_,
                                            rank_share(task_.recipe.batch_size, rank, ranks_of(task_)).count);
    } else {
      batches_ = resident_batches(task_.train, augmented, data_seed_, task_.device);
    }
    if (task_.group != nullptr) {
      std::vector<NamedTensor> own = trained_;  // what the loss trains, every rank computes from all rows
      std::erase_if(own, [](const NamedTensor& named) { return named.name.starts_with("loss."); });
      reducer_ = std::make_unique<GradientReducer>(*task_.group, own);
      if (task_.recipe.sync_bn) shared_norm_.emplace([this](const at::Tensor& sums) { task_.group->sum(sums); });
    }
    step_ = std::make_unique<TrainingStep>(StepParts{.network = *network_,
                                                     .loss = loss_,
                                                     .traits = task_.traits,
                                                     .recipe = task_.recipe,
                                                     .batches = *batches_,
                                                     .optimizer = *optimizer_,
                                                     .average = average_.get(),
                                                     .group = task_.group,
                                                     .reducer = reducer_.get(),
                                                     .images = task_.train.count,
                                                     .labels = task_.train.labels,
                                                     .seed = derive_seed(task_.seed, kStepSeed),
                                                     .guard = task_.callbacks.guard});
  }

  /// What is trained; the rest of the network is frozen. Batch norm keeps counting everywhere.
  std::vector<NamedTensor> parameters() {
    std::vector<NamedTensor> trained;
    for (NamedTensor& named : network_->named_tensors()) {
      if (!named.parameter) continue;
      const bool wanted = is_trainable(task_.recipe, named.name);
      named.tensor.set_requires_grad(wanted);
      if (wanted) trained.push_back(named);
    }
    if (trained.empty()) {
      throw Error(ErrorKind::config, fmt::format("train: 'trainable' is \"{}\", and no tensor of {} begins so",
                                                 task_.recipe.trainable, task_.network.architecture));
    }
    for (const LossTensor& own : loss_state_) {
      if (own.parameter) trained.push_back({"loss." + own.name, at::Tensor(own.tensor).set_requires_grad(true), true});
    }
    return trained;
  }

  std::vector<NamedTensor> loss_tensors() const {
    std::vector<NamedTensor> tensors;
    for (const LossTensor& own : loss_state_) tensors.push_back({own.name, own.tensor, own.parameter});
    return tensors;
  }

  static const NamedTensor* find(const std::vector<NamedTensor>& among, const std::string& name) {
    const auto found =
        std::find_if(among.begin(), among.end(), [&](const NamedTensor& one) { return one.name == name; });
    return found == among.end() ? nullptr : &*found;
  }

  static void check_state(const char* what, const std::vector<NamedTensor>& own, const std::vector<NamedTensor>& saved,
                          const std::string& file) {
    for (const NamedTensor& tensor : own) {
      const NamedTensor* found = find(saved, tensor.name);
      if (found == nullptr || found->tensor.sizes() != tensor.tensor.sizes()) {
        throw Error(ErrorKind::data,
                    fmt::format("{}: '{}.{}' is missing or has another shape", file, what, tensor.name));
      }
    }
  }

  static void copy_state(const std::vector<NamedTensor>& own, const std::vector<NamedTensor>& saved) {
    const c10::AutoGradMode no_gradients(false);
    for (const NamedTensor& tensor : own) tensor.tensor.copy_(find(saved, tensor.name)->tensor);
  }

  double images_per_second() const {
    const std::int64_t images = (state_.step - epoch_began_at_) * task_.recipe.batch_size;
    return static_cast<double>(std::min(images, task_.train.count)) / epoch_began_.seconds();
  }

  void call_loss(const std::function<void()>& call) const {
    if (task_.callbacks.guard) {
      task_.callbacks.guard(call);
    } else {
      call();
    }
  }

  const TrainingTask& task_;
  Loss& loss_;
  std::int64_t steps_per_epoch_, total_steps_;
  std::uint64_t data_seed_;
  TrainingFolder folder_;
  Stopwatch since_save_, epoch_began_;
  std::int64_t epoch_began_at_ = 0;  ///< the step at which this call took the epoch up
  std::unique_ptr<Network> network_, evaluated_;
  std::vector<LossTensor> loss_state_;
  std::vector<NamedTensor> trained_;
  std::unique_ptr<Optimizer> optimizer_;
  std::unique_ptr<WeightAverage> average_;
  std::unique_ptr<GradientReducer> reducer_;
  std::optional<SharedBatchNorm> shared_norm_;
  std::unique_ptr<Batches> batches_;
  std::unique_ptr<TrainingStep> step_;
  std::int64_t losses_read_ = 0;  ///< steps whose losses are in the state
  double last_loss_ = 0;
  Checkpoint state_;  // its tensors stay empty
};

/// Of the best checkpoint, by the model's classifier.
std::optional<double> final_accuracy(const TrainingTask& task, const Checkpoint& state) {
  if (task.val.count == 0) return std::nullopt;
  if (state.spec.head == HeadKind::linear) return state.best_value;
  const std::unique_ptr<Network> best = load_network(best_checkpoint(task.folder), task.device);
  const FeatureBatch train = features_of(*best, task.train, task.train_source, task.callbacks.alive),
                     val = features_of(*best, task.val, task.val_source, task.callbacks.alive);
  return ncm_accuracy(train.features, train.labels, task.network.classes, val.features, val.labels).accuracy;
}

}  // namespace

NetworkSpec network_spec(const std::string& architecture, const TrainRecipe& recipe, const LossTraits& traits,
                         const ImageView& images, std::int64_t classes) {
  return {architecture, images.channels, images.height,     images.width,
          classes,      traits.head,     recipe.projection, recipe.embedding_dim};
}

TrainingResult train(const TrainingTask& task, Loss& loss) {
  const Stopwatch watch;
  check_task(task);
  Training training(task, loss);
  training.resume();
  TrainingResult result;
  result.finished = training.run();
  if (task.group != nullptr && task.group->rank() > 0) {
    result.seconds = watch.seconds();
    return result;
  }
  result.history = training.state().history;
  result.best_epoch = training.state().best_epoch;
  result.best = best_checkpoint(task.folder);
  result.last = last_checkpoint(task.folder);
  if (result.finished) result.val_accuracy = final_accuracy(task, training.state());
  result.seconds = watch.seconds();
  return result;
}

}  // namespace nearfar
