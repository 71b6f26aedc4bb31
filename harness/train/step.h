#pragma once
/// One optimiser step after another, on a device without waiting for it: losses are read when someone wants them, and
/// where the loss allows it the whole step is captured once as a graph and replayed.
#include "config/recipe.h"
#include "device/device.h"
#include "models/network.h"
#include "train/averages.h"
#include "train/batches.h"
#include "train/optimizer.h"
#include "train/ranks.h"
#include "train/reducer.h"

#include <nearfar/loss.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

namespace nearfar {

/// What a step works with. Everything outlives it and is on one device.
struct StepParts {
  Network& network;
  Loss& loss;
  const LossTraits& traits;
  const TrainRecipe& recipe;
  Batches& batches;
  Optimizer& optimizer;
  WeightAverage* average = nullptr;
  RankGroup* group = nullptr;                 ///< with whom this process trains; nullptr = alone
  GradientReducer* reducer = nullptr;         ///< of the network's parameters, where there is a group
  std::int64_t images = 0;                    ///< of an epoch
  std::span<const std::int64_t> labels = {};  ///< of all images, by the numbers in an epoch's order; empty: unknown
  std::uint64_t seed = 0;  ///< of random numbers that a network or a loss draws from LibTorch's generator
  /// Runs a call into the loss plugin; empty: called directly.
  std::function<void(const std::function<void()>&)> guard = {};
};

/// One thread. The network must be in training mode.
///
/// A step takes `batch_size` images (the epoch's last one what is left), in `accumulate` parts one after the other, as
/// equal as can be and of two images at least: each part is a batch for the loss and for batch norm, and the step's
/// loss is the mean of theirs, weighted by their images.
class TrainingStep {
 public:
  explicit TrainingStep(StepParts parts);

  /// `order`: the images in the order in which this epoch visits them, those of all ranks; `done` steps of it are done.
  void begin_epoch(std::int64_t epoch, std::span<const std::int64_t> order, std::int64_t done);
  /// The next step; `step` of all. Enqueued: no wait, unless the loss waits. Error(plugin) for a loss that returns no
  /// differentiable scalar; what the guard throws.
  void run(std::int64_t step, double learning_rate);
  /// Losses of the steps first … last - 1 of the epoch. Waits once.
  std::vector<double> losses(std::int64_t first, std::int64_t last) const;
  /// The gradient's 2-norm in the last step, before clipping. Waits.
  double gradient_norm() const;

 private:
  int ranks() const { return parts_.group != nullptr ? parts_.group->size() : 1; }
  std::vector<std::int64_t> part_counts(std::int64_t images, std::int64_t part, std::int64_t parts) const;
  void enqueue(const std::vector<Batch>& batches, std::int64_t images, std::int64_t step);
  void capture(const std::vector<Batch>& batches, std::int64_t images, std::int64_t step);
  std::int64_t most_of_a_label(std::int64_t images, std::int64_t part, std::int64_t parts) const;
  at::Tensor loss_of(const Batch& batch, const std::vector<std::int64_t>& counts, std::int64_t most,
                     std::int64_t step) const;
  at::Tensor of_all(const at::Tensor& rows, const std::vector<std::int64_t>& counts, std::int64_t views) const;
  void seed(std::int64_t step, std::uint64_t rank) const;
  at::Tensor smoothed(const at::Tensor& labels) const;
  void guarded(const std::function<void()>& call) const;

  StepParts parts_;
  at::Device device_;
  at::Tensor place_;   ///< [1] int64, of the step in its epoch: a captured step reads what lies there
  at::Tensor losses_;  ///< [steps of an epoch] float64
  at::Tensor norm_;    ///< [] float64; undefined where nothing is clipped
  std::vector<std::int64_t> order_;
  std::int64_t epoch_ = 0, next_ = 0, images_ = 0, steps_run_ = 0;
  bool may_capture_;
  std::unique_ptr<DeviceGraph> graph_;
  std::vector<Batch> captured_;  ///< what the graph reads
};

}  // namespace nearfar
