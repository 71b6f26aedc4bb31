#pragma once
/// One optimiser step after another, on a device without waiting for it: images and the order of an epoch lie there,
/// losses are read when someone wants them, and where the loss allows it the whole step is captured once as a graph and
/// replayed.
#include "config/recipe.h"
#include "device/device.h"
#include "device/transfer.h"
#include "models/images.h"
#include "models/network.h"
#include "train/optimizer.h"

#include <nearfar/loss.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

namespace nearfar {

/// What a step works with. Everything outlives it; network, loss and optimiser are on one device.
struct StepParts {
  Network& network;
  Loss& loss;
  const LossTraits& traits;
  const TrainRecipe& recipe;
  const ImageView& images;
  Sgd& optimizer;
  std::uint64_t data_seed = 0;
  /// Runs a call into the loss plugin; empty: called directly.
  std::function<void(const std::function<void()>&)> guard = {};
};

/// One thread. The network must be in training mode.
class TrainingStep {
 public:
  /// Copies the images to the device where they fit into a third of what is free there; otherwise every batch is
  /// augmented on the host and sent through pinned memory.
  explicit TrainingStep(StepParts parts);

  /// `order`: the images in the order in which this epoch visits them. One copy to the device.
  void begin_epoch(std::int64_t epoch, std::span<const std::int64_t> order);
  /// The batch at `place`, counted from 0 within the epoch; `step` of all. Enqueued: no wait, unless the loss waits.
  /// Error(plugin) for a loss that returns no differentiable scalar; what the guard throws.
  void run(std::int64_t place, std::int64_t step, double learning_rate);
  /// Losses of the steps first … last - 1 of the epoch. Waits once.
  std::vector<double> losses(std::int64_t first, std::int64_t last) const;

 private:
  void enqueue(const at::Tensor& rows, std::int64_t step);
  void capture(std::int64_t step);
  at::Tensor images_of(const at::Tensor& rows);
  void backward(const LossInput& input, at::Tensor& loss) const;
  void guarded(const std::function<void()>& call) const;

  StepParts parts_;
  at::Device device_;
  at::Tensor pixels_, table_;  ///< on the device, or on the host where they do not fit
  at::Tensor labels_, order_;  ///< on the device
  at::Tensor host_order_;
  at::Tensor epoch_, place_;  ///< [1] int64: a captured step reads and moves on what lies there
  at::Tensor rows_;           ///< [batch] int64: the images of a captured step
  at::Tensor losses_;         ///< [steps of an epoch] float64
  std::int64_t epoch_number_ = 0, steps_run_ = 0;
  bool resident_ = true, may_capture_;
  Uploader uploader_;
  std::unique_ptr<DeviceGraph> graph_;
};

}  // namespace nearfar
