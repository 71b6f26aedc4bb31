#pragma once
/// What plugins are timed on: random, the same for a seed on every machine but for rounding, and with classes in it, so
/// that a method meets the work that a network's features give it. Pure functions.
#include "wire/bench.h"

#include <nearfar/loss.h>
#include <nearfar/network_batch.h>
#include <nearfar/postprocessor.h>

#include <cstdint>
#include <vector>

namespace nearfar {

/// What a postprocessor is fitted on, and what it scores.
struct BenchFeatures {
  FitContext fit;
  FeatureBatch scored;
};

/// Each class has a centre and each row lies about that of its own; negative values become 0, as after a network's last
/// activation. The head is made of the centres. Validation has a tenth as many rows as train, one a class at least;
/// every second row that is scored is of a class that train does not have. What `needs` does not ask for is undefined.
BenchFeatures bench_features(const wire::BenchSize& size, Needs needs, at::Device device);

/// The part of a batch that `needs` asks for; labels and observed stay.
FeatureBatch only_needed(FeatureBatch batch, Needs needs);

/// Normalised images [N,3,32,32] of noise, each with the pattern of its class, in batches of at most 64, and their
/// labels [N].
struct BenchImages {
  std::vector<at::Tensor> batches;
  at::Tensor labels;
};
BenchImages bench_images(std::int64_t count, std::int64_t classes, std::uint64_t seed, at::Device device);

/// One batch for a loss, whose traits say of what. `output` and the other floating tensors are leaves that want
/// gradients. labels are as many of each class as fit, mixed.
LossInput bench_batch(const wire::BenchSize& size, const LossTraits& traits, at::Device device);
/// Width of LossInput::features.
inline constexpr std::int64_t kBenchFeatureWidth = 512;

/// [C,W] unit rows, for Loss::start().
at::Tensor bench_class_means(const wire::BenchSize& size, const LossTraits& traits, at::Device device);

}  // namespace nearfar
