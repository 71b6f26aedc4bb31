#include "train/trainer.h"

#include "base/error.h"
#include "base/stopwatch.h"
#include "features/accuracy.h"
#include "features/extract.h"
#include "train/augment.h"
#include "train/optimizer.h"
#include "train/random.h"
#include "train/schedule.h"

#include <ATen/ops/empty.h>
#include <c10/core/GradMode.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <span>

namespace nearfar {
namespace {

enum SeedStage : std::uint64_t { kInitSeed = 1, kDataSeed = 2 };
constexpr double kAverageWeight = 0.2;  // of OpenOOD's contrastive trainers

void check_recipe(const TrainRecipe& recipe, const ImageView& images) {
  const auto require = [](bool good, const std::string& what) {
    if (!good) throw Error(ErrorKind::config, "train: " + what);
  };
  require(recipe.epochs >= 1, fmt::format("epochs is {}, expected at least 1", recipe.epochs));
  require(recipe.batch_size >= 2,
          fmt::format("batch_size is {}, expected at least 2: batch norm has no statistics of one image",
                      recipe.batch_size));
  require(std::isfinite(recipe.learning_rate) && recipe.learning_rate > 0,
          fmt::format("lr is {}, expected a positive number", recipe.learning_rate));
  require(recipe.momentum >= 0 && recipe.momentum < 1,
          fmt::format("momentum is {}, expected 0 <= momentum < 1", recipe.momentum));
  require(!recipe.nesterov || recipe.momentum > 0, "nesterov = true needs momentum > 0");
  require(recipe.warmup_fraction >= 0 && recipe.warmup_fraction < 1,
          fmt::format("warmup_fraction is {}, expected 0 <= warmup_fraction < 1", recipe.warmup_fraction));
  require(recipe.shift >= 0 && recipe.shift < std::min(images.height, images.width),
          fmt::format("shift is {}, expected 0 to less than the images' {} x {}", recipe.shift, images.height,
                      images.width));
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
  Training(const TrainJob& job, Loss& loss)
      : job_(job),
        loss_(loss),
        traits_(loss.traits()),
        steps_per_epoch_(steps_per_epoch(job.train.count, job.recipe.batch_size)),
        total_steps_(steps_per_epoch_ * job.recipe.epochs),
        data_seed_(derive_seed(job.seed, kDataSeed)),
        network_(make_network(job.network, derive_seed(job.seed, kInitSeed))) {
    if (total_steps_ < 1) throw Error(ErrorKind::data, fmt::format("{} train images are too few", job.train.count));
    call_loss([&] { loss_.prepare(job_.network.classes, network_->output_dim()); });
    call_loss([&] { loss_state_ = loss_.state(); });
    optimizer_ = std::make_unique<Sgd>(parameters(),
                                       SgdOptions{job.recipe.momentum, job.recipe.weight_decay, job.recipe.nesterov});
    state_.identity = job.identity;
    state_.spec = job.network;
  }

  /// Goes on where last.safetensors stands, if it is this job's and the best epoch's weights, which it does not hold,
  /// are still there.
  void resume() {
    const std::filesystem::path file = last_checkpoint(job_.folder);
    if (!std::filesystem::exists(file)) return;
    Checkpoint saved = read_checkpoint(file);
    if (saved.identity != job_.identity || saved.spec != job_.network) return;
    if (saved.best_epoch >= 0 && !std::filesystem::exists(best_checkpoint(job_.folder))) return;
    load_tensors(*network_, saved.network, file.string());
    optimizer_->restore(saved.momentum);
    restore_loss(saved.loss, file);
    saved.network.clear();
    saved.momentum.clear();
    saved.loss.clear();
    state_ = std::move(saved);
  }

  /// The loop. Returns true when all epochs are done, false when asked to stop.
  bool run() {
    network_->train(true);
    while (state_.step < total_steps_) {
      const std::int64_t epoch = state_.step / steps_per_epoch_;
      const std::vector<std::int64_t> order = permutation(data_seed_, epoch, job_.train.count);
      while (state_.step < (epoch + 1) * steps_per_epoch_) {
        if (job_.callbacks.should_stop && job_.callbacks.should_stop()) {
          save_last();
          return false;
        }
        step(epoch, order);
      }
      finish_epoch(epoch);
    }
    return true;
  }

  const Checkpoint& state() const { return state_; }

 private:
  void step(std::int64_t epoch, const std::vector<std::int64_t>& order) {
    const std::int64_t first = (state_.step - epoch * steps_per_epoch_) * job_.recipe.batch_size;
    const std::int64_t size = std::min(job_.recipe.batch_size, job_.train.count - first);
    const std::span<const std::int64_t> rows(order.data() + first, static_cast<std::size_t>(size));

    const Augmentation augmentation{job_.recipe.shift, job_.recipe.flip};
    const at::Tensor images = augmented_batch(job_.train, rows, augmentation, traits_.views, data_seed_, epoch);
    at::Tensor output = network_->output(network_->features(images));
    if (traits_.normalized_embedding) output = normalized_rows(output);

    const double rate = learning_rate(state_.step, total_steps_, job_.recipe);
    optimizer_->zero_grad();
    const double loss = backward({output, labels_of(rows), epoch, state_.step}, rate);
    optimizer_->step(rate);

    state_.loss_average = state_.step == 0 ? loss : (1 - kAverageWeight) * state_.loss_average + kAverageWeight * loss;
    state_.epoch_loss_sum += loss;
    ++state_.step;
    if (job_.callbacks.progress) job_.callbacks.progress({state_.step, total_steps_, epoch, loss, rate});
  }

  /// [views * B] int64
  at::Tensor labels_of(std::span<const std::int64_t> rows) const {
    at::Tensor labels = at::empty({static_cast<std::int64_t>(rows.size())}, at::kLong);
    std::int64_t* out = labels.mutable_data_ptr<std::int64_t>();
    for (const std::int64_t row : rows) *out++ = job_.train.labels[static_cast<std::size_t>(row)];
    return labels.repeat({traits_.views});
  }

  /// The loss's value, with gradients left in the parameters.
  double backward(const LossInput& input, double rate) {
    at::Tensor loss;
    call_loss([&] { loss = loss_.forward(input); });
    if (!loss.defined() || loss.numel() != 1 || !loss.requires_grad()) {
      throw Error(ErrorKind::plugin,
                  "the loss returned no differentiable scalar (undefined, several elements, or without a gradient)");
    }
    const auto value = loss.item<double>();
    if (!std::isfinite(value)) {
      throw NonFiniteLoss(
          fmt::format("the loss is {} at epoch {}, step {} (learning rate {:.4g}); a lower learning rate or a longer "
                      "warm-up may help",
                      value, input.epoch, input.step, rate));
    }
    call_loss([&] { loss.backward(); });  // guarded too: the plugin may bring autograd functions of its own
    return value;
  }

  void finish_epoch(std::int64_t epoch) {
    EpochRecord record;
    record.epoch = epoch;
    record.loss = state_.epoch_loss_sum / static_cast<double>(steps_per_epoch_);
    record.learning_rate = learning_rate(state_.step - 1, total_steps_, job_.recipe);
    const bool classifier = network_->has_classifier();
    if (classifier && job_.val.count > 0) {
      const FeatureBatch val = run_network(*network_, job_.val);
      record.val_accuracy = linear_accuracy(val.logits, val.labels).accuracy;
    }
    state_.history.push_back(record);
    state_.epoch_loss_sum = 0;

    const double value = classifier ? record.val_accuracy.value_or(0) : state_.loss_average;
    const bool better = state_.best_epoch < 0 || (classifier ? value >= state_.best_value : value <= state_.best_value);
    if (better) {
      state_.best_epoch = epoch;
      state_.best_value = value;
      Checkpoint best = snapshot();
      best.momentum.clear();
      write_checkpoint(best_checkpoint(job_.folder), best);
    }
    // After `best`: a kill in between repeats this epoch and writes the same `best` again.
    const std::int64_t every = job_.recipe.checkpoint_every_epochs;
    if (state_.step == total_steps_ || (every > 0 && (epoch + 1) % every == 0)) save_last();
  }

  void save_last() { write_checkpoint(last_checkpoint(job_.folder), snapshot()); }

  Checkpoint snapshot() const {
    Checkpoint whole = state_;
    whole.network = network_->named_tensors();
    whole.momentum = optimizer_->momentum();
    for (const LossTensor& own : loss_state_) whole.loss.push_back({own.name, own.tensor, own.parameter});
    return whole;
  }

  std::vector<NamedTensor> parameters() {
    std::vector<NamedTensor> all = network_->named_tensors();
    std::erase_if(all, [](const NamedTensor& named) { return !named.parameter; });
    for (const LossTensor& own : loss_state_) {
      if (own.parameter) all.push_back({"loss." + own.name, at::Tensor(own.tensor).set_requires_grad(true), true});
    }
    return all;
  }

  void restore_loss(const std::vector<NamedTensor>& saved, const std::filesystem::path& file) {
    const c10::AutoGradMode no_gradients(false);
    for (LossTensor& own : loss_state_) {
      const auto found =
          std::find_if(saved.begin(), saved.end(), [&](const NamedTensor& one) { return one.name == own.name; });
      if (found == saved.end() || found->tensor.sizes() != own.tensor.sizes()) {
        throw Error(ErrorKind::data,
                    fmt::format("{}: state '{}' of the loss is missing or has another shape", file.string(), own.name));
      }
      own.tensor.copy_(found->tensor);
    }
  }

  void call_loss(const std::function<void()>& call) const {
    if (job_.callbacks.guard) {
      job_.callbacks.guard(call);
    } else {
      call();
    }
  }

  const TrainJob& job_;
  Loss& loss_;
  LossTraits traits_;
  std::int64_t steps_per_epoch_, total_steps_;
  std::uint64_t data_seed_;
  std::unique_ptr<Network> network_;
  std::vector<LossTensor> loss_state_;
  std::unique_ptr<Sgd> optimizer_;
  Checkpoint state_;  // its tensors stay empty; snapshot() fills them
};

/// Of the best checkpoint, by the model's classifier.
std::optional<double> final_accuracy(const TrainJob& job, const Checkpoint& state) {
  if (job.val.count == 0) return std::nullopt;
  if (state.spec.head == HeadKind::linear) return state.best_value;
  const std::unique_ptr<Network> best = load_network(best_checkpoint(job.folder));
  const FeatureBatch train = run_network(*best, job.train), val = run_network(*best, job.val);
  return ncm_accuracy(train.features, train.labels, job.network.classes, val.features, val.labels).accuracy;
}

}  // namespace

NetworkSpec network_spec(const std::string& architecture, const TrainRecipe& recipe, const LossTraits& traits,
                         const ImageView& images, std::int64_t classes) {
  return {architecture, images.channels, images.height,     images.width,
          classes,      traits.head,     recipe.projection, recipe.embedding_dim};
}

TrainResult train(const TrainJob& job, Loss& loss) {
  const Stopwatch watch;
  check_images(job.train);
  check_labels("train", job.train, job.network.classes);
  if (job.val.count > 0) {
    check_images(job.val);
    check_labels("validation", job.val, job.network.classes);
  }
  check_recipe(job.recipe, job.train);
  NEARFAR_ASSERT(job.network.head == loss.traits().head);

  Training training(job, loss);
  training.resume();
  TrainResult result;
  result.finished = training.run();
  result.history = training.state().history;
  result.best_epoch = training.state().best_epoch;
  result.best = best_checkpoint(job.folder);
  result.last = last_checkpoint(job.folder);
  if (result.finished) result.val_accuracy = final_accuracy(job, training.state());
  result.seconds = watch.seconds();
  return result;
}

}  // namespace nearfar
