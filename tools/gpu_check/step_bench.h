#pragma once
/// The product's own training step on random images, for whoever times it: the GPU check and benchmarks/train_timer.
#include "host/call.h"
#include "models/images.h"
#include "models/network.h"
#include "train/batches.h"
#include "train/optimizer.h"
#include "train/step.h"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace nearfar::gpu_check {

double seconds_now();

/// Random pixels, labels in turn. Not copied.
struct Pictures {
  Pictures(std::int64_t count, std::int64_t channels, std::int64_t side, std::int64_t classes, std::uint64_t seed);
  Pictures(const Pictures&) = delete;
  Pictures& operator=(const Pictures&) = delete;
  std::vector<std::uint8_t> pixels;
  std::vector<std::int64_t> labels;
  ImageView view;
};

/// Cross-entropy on a ResNet-18 of CIFAR's size; `graph`: the step is recorded where that can be.
class StepBench {
 public:
  StepBench(const std::filesystem::path& plugins, at::Device device, std::int64_t batch, const std::string& dtype,
            bool graph, std::int64_t steps);

  void begin(std::int64_t epoch);
  void steps(std::int64_t epoch);
  void epoch(std::int64_t number);
  std::int64_t images() const { return pictures_.view.count; }  ///< of an epoch
  /// After a warm-up.
  double images_per_second(std::int64_t epochs);

 private:
  LoadedPlugin plugin_;
  LossHandle loss_;
  LossTraits traits_;
  TrainRecipe recipe_;
  Pictures pictures_;
  std::unique_ptr<Network> network_;
  at::Device device_;
  std::int64_t steps_;
  std::unique_ptr<Batches> batches_;
  std::optional<Optimizer> optimizer_;
  std::optional<TrainingStep> step_;
};

}  // namespace nearfar::gpu_check
