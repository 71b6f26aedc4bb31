#include "train/trainer.h"

#include "base/error.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/stopwatch.h"
#include "features/accuracy.h"
#include "features/extract.h"
#include "train/optimizer.h"
#include "train/random.h"
#include "train/schedule.h"
#include "train/step.h"

#include <c10/core/GradMode.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <span>

namespace nearfar {
namespace {

namespace fs = std::filesystem;

enum SeedStage : std::uint64_t { kInitSeed = 1, kDataSeed = 2 };
constexpr double kAverageWeight = 0.2;  // of OpenOOD's contrastive trainers

void check_recipe(const TrainRecipe& recipe, const ImageView& images) {
  if (const auto problem = recipe_problem(recipe))
    throw Error(ErrorKind::config, fmt::format("train: '{}' {}", problem->field, problem->message));
  if (recipe.shift >= std::min(images.height, images.width)) {
    throw Error(ErrorKind::config, fmt::format("train: 'shift' is {}, expected less than the images' {} x {}",
                                               recipe.shift, images.height, images.width));
  }
}

void check_labels(const char* set, const ImageView& images, std::int64_t classes) {
  for (std::size_t i = 0; i < images.labels.size(); ++i) {
    if (images.labels[i] < 0 || images.labels[i] >= classes) {
      throw Error(ErrorKind::data,
                  fmt::format("{} image {} has label {}, expected 0 to {}", set, i, images.labels[i], classes - 1));
    }
  }
}

/// Optimiser steps of an epoch; a rest of a single image makes none.
std::int64_t steps_per_epoch(std::int64_t images, std::int64_t batch_size) {
  return images / batch_size + (images % batch_size >= 2 ? 1 : 0);
}

/// One run of train(): what is trained, and where it stands.
class Training {
 public:
  Training(const TrainingTask& task, Loss& loss)
      : task_(task),
        loss_(loss),
        steps_per_epoch_(steps_per_epoch(task.train.count, task.recipe.batch_size)),
        total_steps_(steps_per_epoch_ * task.recipe.epochs),
        data_seed_(derive_seed(task.seed, kDataSeed)),
        network_(make_network(task.network, derive_seed(task.seed, kInitSeed), task.device)) {
    if (total_steps_ < 1) throw Error(ErrorKind::data, fmt::format("{} train images are too few", task.train.count));
    const LossSetup setup{.classes = task_.network.classes,
                          .output_width = network_->output_dim(),
                          .feature_width = network_->feature_dim(),
                          .device = task.device};
    call_loss([&] { loss_.prepare(setup); });
    call_loss([&] { loss_state_ = loss_.state(); });
    optimizer_ = std::make_unique<Sgd>(
        parameters(), SgdOptions{task.recipe.momentum, task.recipe.weight_decay, task.recipe.nesterov});
    state_.identity = task.identity;
    state_.spec = task.network;
  }

  /// Goes on where last.safetensors stands, if it is this task's and the best epoch's weights, which it does not hold,
  /// are what they were. Otherwise training starts over, with a warning; nothing is deleted.
  void resume() {
    const fs::path file = last_checkpoint(task_.folder);
    std::string why;
    if (fs::exists(file)) {
      try {
        Checkpoint saved = read_checkpoint(file);
        why = reason_to_start_over(saved);
        if (why.empty()) return restore(std::move(saved), file.string());
      } catch (const Error& error) {
        if (error.kind() != ErrorKind::data) throw;
        why = error.what();
      }
    } else if (fs::exists(best_checkpoint(task_.folder))) {
      why = file.string() + " is missing";
    }
    if (!why.empty()) log_warn("training starts over: " + why);
  }

  /// The loop. Returns true when all epochs are done, false when asked to stop.
  bool run() {
    network_->train(true);
    losses_read_ = state_.step;
    if (state_.step < total_steps_) step_ = std::make_unique<TrainingStep>(step_parts());
    while (state_.step < total_steps_) {
      const std::int64_t epoch = state_.step / steps_per_epoch_;
      step_->begin_epoch(epoch, permutation(data_seed_, epoch, task_.train.count));
      while (state_.step < (epoch + 1) * steps_per_epoch_) {
        if (task_.callbacks.should_stop && task_.callbacks.should_stop()) {
          read_losses(epoch);
          save_last();
          return false;
        }
        step(epoch);
      }
      read_losses(epoch);
      finish_epoch(epoch);
    }
    return true;
  }

  const Checkpoint& state() const { return state_; }

 private:
  void step(std::int64_t epoch) {
    const std::int64_t place = state_.step - epoch * steps_per_epoch_;
    const double rate = learning_rate(state_.step, total_steps_, task_.recipe);
    step_->run(place, state_.step, rate);
    ++state_.step;
    if (task_.device.is_cpu()) read_losses(epoch);  // they are at hand; on a device that would be a wait
    if (task_.callbacks.progress) task_.callbacks.progress({state_.step, total_steps_, epoch, last_loss_, rate});
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
        loss, epoch, step, learning_rate(step, total_steps_, task_.recipe),
        fmt::join(begin, all ? end : begin + kNamed, ", "), all ? "" : ", …");
  }

  void finish_epoch(std::int64_t epoch) {
    EpochRecord record;
    record.epoch = epoch;
    record.loss = state_.epoch_loss_sum / static_cast<double>(steps_per_epoch_);
    record.learning_rate = learning_rate(state_.step - 1, total_steps_, task_.recipe);
    const bool classifier = network_->has_classifier();
    if (classifier && task_.val.count > 0) {
      const FeatureBatch val = run_network(*network_, task_.val);
      record.val_accuracy = linear_accuracy(val.logits, val.labels).accuracy;
    }
    state_.history.push_back(record);
    state_.epoch_loss_sum = 0;

    const double value = classifier ? record.val_accuracy.value_or(0) : state_.loss_average;
    const bool better = state_.best_epoch < 0 || (classifier ? value >= state_.best_value : value <= state_.best_value);
    if (better) {
      state_.best_epoch = epoch;
      state_.best_value = value;
      state_.best_sha256.clear();
      Checkpoint best = snapshot();
      best.optimizer.clear();
      write_checkpoint(next_best_checkpoint(task_.folder), best);
      state_.best_sha256 = sha256_file(next_best_checkpoint(task_.folder));
    }
    const std::int64_t every = task_.recipe.checkpoint_every_epochs;
    if (state_.step == total_steps_ || (every > 0 && (epoch + 1) % every == 0)) save_last();
  }

  /// At any moment last.safetensors names, by its hash, a best epoch that is there: as best.safetensors, or for the
  /// moment before the rename (after a kill: until the next start) as the next one.
  void save_last() {
    write_checkpoint(last_checkpoint(task_.folder), snapshot());
    promote_best();
  }

  void promote_best() const {
    const fs::path next = next_best_checkpoint(task_.folder), best = best_checkpoint(task_.folder);
    if (!fs::exists(next) || sha256_file(next) != state_.best_sha256) return;
    std::error_code failure, for_people_only;
    fs::rename(next, best, failure);
    if (failure) {
      throw Error(ErrorKind::data,
                  fmt::format("{}: cannot be renamed to {}: {}", next.string(), best.string(), failure.message()));
    }
    fs::rename(fs::path(next).replace_extension(".json"), fs::path(best).replace_extension(".json"), for_people_only);
  }

  std::string reason_to_start_over(const Checkpoint& saved) const {
    const fs::path last = last_checkpoint(task_.folder);
    if (saved.format != Checkpoint{}.format) return last.string() + " is of an older version's format";
    if (saved.identity != task_.identity || saved.spec != task_.network)
      return last.string() + " is of another training";
    if (saved.best_epoch < 0) return "";
    for (const fs::path& file : {best_checkpoint(task_.folder), next_best_checkpoint(task_.folder)}) {
      if (fs::exists(file) && sha256_file(file) == saved.best_sha256) return "";
    }
    return fmt::format("{} is not the file of epoch {} that {} knows (damaged, replaced or missing)",
                       best_checkpoint(task_.folder).string(), saved.best_epoch, last.filename().string());
  }

  /// Checks everything first, so that a checkpoint which does not fit leaves what was made for a start as it is.
  void restore(Checkpoint saved, const std::string& file) {
    check_tensors(saved.spec, saved.network, file);
    check_loss(saved.loss, file);
    optimizer_->restore(saved.optimizer);
    load_tensors(*network_, saved.network, file);
    restore_loss(saved.loss);
    for (auto* tensors : {&saved.network, &saved.ema, &saved.loss}) tensors->clear();
    saved.optimizer.clear();
    state_ = std::move(saved);
    promote_best();
  }

  Checkpoint snapshot() const {
    Checkpoint whole = state_;
    whole.network = network_->named_tensors();
    whole.optimizer = optimizer_->state();
    for (const LossTensor& own : loss_state_) whole.loss.push_back({own.name, own.tensor, own.parameter});
    return whole;
  }

  StepParts step_parts() {
    return {.network = *network_,
            .loss = loss_,
            .traits = task_.traits,
            .recipe = task_.recipe,
            .images = task_.train,
            .optimizer = *optimizer_,
            .data_seed = data_seed_,
            .guard = task_.callbacks.guard};
  }

  std::vector<NamedTensor> parameters() {
    std::vector<NamedTensor> all = network_->named_tensors();
    std::erase_if(all, [](const NamedTensor& named) { return !named.parameter; });
    for (const LossTensor& own : loss_state_) {
      if (own.parameter) all.push_back({"loss." + own.name, at::Tensor(own.tensor).set_requires_grad(true), true});
    }
    return all;
  }

  static const NamedTensor* find(const std::vector<NamedTensor>& saved, const std::string& name) {
    const auto found =
        std::find_if(saved.begin(), saved.end(), [&](const NamedTensor& one) { return one.name == name; });
    return found == saved.end() ? nullptr : &*found;
  }

  void check_loss(const std::vector<NamedTensor>& saved, const std::string& file) const {
    for (const LossTensor& own : loss_state_) {
      const NamedTensor* found = find(saved, own.name);
      if (found == nullptr || found->tensor.sizes() != own.tensor.sizes()) {
        throw Error(ErrorKind::data,
                    fmt::format("{}: state '{}' of the loss is missing or has another shape", file, own.name));
      }
    }
  }

  void restore_loss(const std::vector<NamedTensor>& saved) {
    const c10::AutoGradMode no_gradients(false);
    for (LossTensor& own : loss_state_) own.tensor.copy_(find(saved, own.name)->tensor);
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
  std::unique_ptr<Network> network_;
  std::vector<LossTensor> loss_state_;
  std::unique_ptr<Sgd> optimizer_;
  std::unique_ptr<TrainingStep> step_;
  std::int64_t losses_read_ = 0;  ///< steps whose losses are in the state
  double last_loss_ = 0;
  Checkpoint state_;  // its tensors stay empty; snapshot() fills them
};

/// Of the best checkpoint, by the model's classifier.
std::optional<double> final_accuracy(const TrainingTask& task, const Checkpoint& state) {
  if (task.val.count == 0) return std::nullopt;
  if (state.spec.head == HeadKind::linear) return state.best_value;
  const std::unique_ptr<Network> best = load_network(best_checkpoint(task.folder), task.device);
  const FeatureBatch train = run_network(*best, task.train), val = run_network(*best, task.val);
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
  check_images(task.train);
  check_labels("train", task.train, task.network.classes);
  if (task.val.count > 0) {
    check_images(task.val);
    check_labels("validation", task.val, task.network.classes);
  }
  check_recipe(task.recipe, task.train);
  NEARFAR_ASSERT(task.network.head == task.traits.head);
  if (task.traits.wants_auxiliary) {
    throw Error(ErrorKind::config,
                "train: the loss wants auxiliary images (outlier exposure); training with auxiliary "
                "images is not available in this version: choose another loss");
  }

  Training training(task, loss);
  training.resume();
  TrainingResult result;
  result.finished = training.run();
  result.history = training.state().history;
  result.best_epoch = training.state().best_epoch;
  result.best = best_checkpoint(task.folder);
  result.last = last_checkpoint(task.folder);
  if (result.finished) result.val_accuracy = final_accuracy(task, training.state());
  result.seconds = watch.seconds();
  return result;
}

}  // namespace nearfar
