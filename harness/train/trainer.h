#pragma once
/// The training loop: one network, one loss, one recipe, one seed -> checkpoints. Deterministic for a fixed number of
/// threads, and a run that was killed at any moment and started again ends with the same bytes as one that was not.
/// Called by the engine in a child process. Not thread-safe; uses the calling thread and torch's pool as set by the
/// caller.
#include "config/recipe.h"
#include "models/checkpoint.h"
#include "models/images.h"
#include "train/batches.h"
#include "train/ranks.h"

#include <nearfar/loss.h>

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace nearfar {

/// The loss became NaN or infinite: the cell's state is `nan`. The message names epoch, step, learning rate and images.
/// On a device it comes at the end of the epoch.
class NonFiniteLoss : public Error {
 public:
  explicit NonFiniteLoss(const std::string& message) : Error(ErrorKind::plugin, message) {}
};

struct TrainProgress {
  std::int64_t step = 0, total_steps = 0;  ///< steps done
  std::int64_t epoch = 0;                  ///< of this step, from 0
  double loss = 0;                         ///< of this step; on a device of the last epoch's last step
  double learning_rate = 0;                ///< of this step
  double images_per_second = 0;            ///< of this epoch so far, in this call
};

struct TrainCallbacks {
  std::function<void(const TrainProgress&)> progress;  ///< after every step; may be empty
  std::function<bool()> should_stop;                   ///< asked before every step; may be empty
  std::function<void()> alive = {};  ///< between the batches of what is no step: validation; may be empty
  /// After every epoch and its checkpoints, with the images a second of its steps; may be empty.
  std::function<void(const EpochRecord&, double images_per_second)> epoch;
  /// Of the network that is judged and what it makes of the validation images, after every epoch: the AUROC that the
  /// epoch's record keeps. Must not train or change it. May be empty; not called without validation images. A training
  /// that was finished without it is measured once, after its last epoch.
  std::function<std::optional<double>(Network&, const FeatureBatch& val)> ood_val;
  /// Fills a new network with weights to start from; may be empty. Whatever it does is part of the identity.
  std::function<void(Network&)> initialize;
  /// Runs a call into the loss plugin; the host's guard turns any exception into Error(plugin). Empty: called directly.
  std::function<void(const std::function<void()>&)> guard;
};

/// Images that are not in memory, of a view without pixels.
struct ImageSource {
  /// Of train images: batches of so many for the steps of an epoch (of this process, where several train together).
  std::function<std::unique_ptr<Batches>(const AugmentRecipe& recipe, std::uint64_t seed, std::int64_t batch)> batches;
  /// run_network() of all images.
  std::function<FeatureBatch(Network&)> features;
};

struct TrainingTask {
  std::string
      identity;  ///< of everything that can change the result; a checkpoint with another identity is not continued
  NetworkSpec network;  ///< its head must be the loss's
  at::Device device = at::kCPU;
  LossTraits traits;  ///< of the loss with its parameters
  TrainRecipe recipe;
  std::uint64_t seed = 0;
  ImageView train, val;
  ImageSource train_source = {}, val_source = {};  ///< empty: the views have their pixels
  std::filesystem::path folder;  ///< gets best.safetensors, last.safetensors, their .json, and older ones (folder.h)
  TrainCallbacks callbacks;
  /// Trains with the other processes of the group, which all call train() with the same task: each takes its share of
  /// every batch. Rank 0 alone reads and writes `folder`, validates and reports. nullptr = alone.
  RankGroup* group = nullptr;
};

struct TrainingResult {   ///< on ranks other than 0: `finished` and `seconds` alone
  bool finished = false;  ///< false: should_stop() said so; last.safetensors holds the state
  std::vector<EpochRecord> history;
  std::int64_t best_epoch = -1;
  std::filesystem::path best, last;  ///< checkpoint files; `best` is what is evaluated
  std::optional<double>
      val_accuracy;  ///< of `best` when finished: argmax of the logits, or nearest class mean; empty without val images
  double seconds = 0;  ///< of this call
};

/// A NetworkSpec from a recipe, a loss's traits and the images.
NetworkSpec network_spec(const std::string& architecture, const TrainRecipe& recipe, const LossTraits& traits,
                         const ImageView& images, std::int64_t classes);

/// Trains, or goes on from the newest checkpoint in the folder that is whole and of this identity (returns at once if
/// that is finished); what that is and what is said, see folder.h. A checkpoint is written as often as the recipe says,
/// and when asked to stop. `best`: linear head, highest validation accuracy (a later tie wins; without val images the
/// last epoch); embedding, lowest moving average of the training loss at an epoch's end (a later tie wins). These are
/// OpenOOD's rules. With a moving average of the weights (`ema_decay`), validation and `best` are of the averages, with
/// the trained network's running statistics. A last batch of less than two images for each process is left out: batch
/// norm has no statistics for it. Throws NonFiniteLoss; Error(config) for a recipe that cannot work and for a loss that
/// wants auxiliary images; Error(data) for images or labels; what the guard and initialize throw.
TrainingResult train(const TrainingTask& task, Loss& loss);

}  // namespace nearfar
