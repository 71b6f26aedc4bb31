#include "engine/bench_inputs.h"

#include "device/transfer.h"
#include "features/accuracy.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/randperm.h>

#include <algorithm>
#include <cmath>

namespace nearfar {
namespace {

constexpr std::uint64_t kSeed = 19;
constexpr double kScatter = 0.8;     // of a row about its centre, whose values have a deviation of 1
constexpr double kLargestLogit = 8;  // about: a softmax that is sure and not saturated
constexpr std::int64_t kImagesAtOnce = 64, kImageSide = 32;

/// Drawn on the CPU, so that every device gets the same.
class Draw {
 public:
  explicit Draw(std::uint64_t seed) : generator_(at::make_generator<at::CPUGeneratorImpl>(seed)) {}
  at::Tensor normal(at::IntArrayRef shape) { return at::randn(shape, generator_, at::TensorOptions(at::kFloat)); }
  at::Tensor mixed(std::int64_t count) { return at::randperm(count, generator_, at::TensorOptions(at::kLong)); }

 private:
  at::Generator generator_;
};

/// 0, 1, …, C - 1, 0, 1, …: [count].
at::Tensor labels_in_turn(std::int64_t count, std::int64_t classes) {
  return at::arange(count, at::TensorOptions(at::kLong)).remainder(classes);
}

at::Tensor rows_about(const at::Tensor& centres, const at::Tensor& labels, Draw& draw) {
  return draw.normal({labels.size(0), centres.size(1)}).mul_(kScatter).add_(centres.index_select(0, labels)).relu_();
}

FeatureBatch batch_of(const at::Tensor& features, const at::Tensor& labels, const HeadWeights& head, Needs needs,
                      at::Device device) {
  FeatureBatch batch{.features = features, .normalized = {}, .logits = {}, .labels = labels};
  if ((needs & kLogits) != 0) batch.logits = features.matmul(head.weight.t()).add_(head.bias);
  if ((needs & kNormalizedFeatures) != 0) batch.normalized = normalized_rows(features);
  if ((needs & kFeatures) == 0) batch.features = at::Tensor();
  for (at::Tensor* tensor : {&batch.features, &batch.normalized, &batch.logits, &batch.labels})
    *tensor = upload(*tensor, device);
  return batch;
}

std::int64_t width_of(const wire::BenchSize& size, const LossTraits& traits) {
  return traits.head == HeadKind::linear ? size.classes : size.width;
}

at::Tensor leaf(at::Tensor tensor, at::Device device) {
  return upload(tensor, device).detach().set_requires_grad(true);
}

}  // namespace

BenchFeatures bench_features(const wire::BenchSize& size, Needs needs, at::Device device) {
  Draw draw(kSeed);
  const at::Tensor centres = draw.normal({size.classes, size.width});
  const at::Tensor strange = draw.normal({size.classes, size.width});
  const HeadWeights head{centres.mul(kLargestLogit / static_cast<double>(size.width)),
                         draw.normal({size.classes}).mul_(0.1)};
  const auto of = [&](const at::Tensor& about, std::int64_t count) {
    const at::Tensor labels = labels_in_turn(count, about.size(0));
    return std::pair(rows_about(about, labels, draw), labels);
  };
  BenchFeatures made;
  if ((needs & kTrain) != 0) {
    const auto [features, labels] = of(centres, size.train);
    made.fit.train = batch_of(features, labels, head, needs, device);
  }
  if ((needs & kValidation) != 0) {
    const auto [features, labels] = of(centres, std::max(size.train / 10, size.classes));
    made.fit.val = batch_of(features, labels, head, needs, device);
  }
  if ((needs & kHeadWeights) != 0) made.fit.head = {upload(head.weight, device), upload(head.bias, device)};
  made.fit.classes = size.classes;
  // Known and strange rows in turn: a block of scores has both.
  const auto [known, labels] = of(at::cat({centres, strange}, 1).view({2 * size.classes, size.width}), size.rows);
  made.scored = batch_of(known, labels, head, needs, device);
  made.scored.labels = at::Tensor();  // a score knows no label
  return made;
}

FeatureBatch only_needed(FeatureBatch batch, Needs needs) {
  if ((needs & kFeatures) == 0) batch.features = at::Tensor();
  if ((needs & kNormalizedFeatures) == 0) batch.normalized = at::Tensor();
  if ((needs & kLogits) == 0) batch.logits = at::Tensor();
  return batch;
}

BenchImages bench_images(std::int64_t count, std::int64_t classes, std::uint64_t seed, at::Device device) {
  Draw patterns(kSeed), draw(kSeed + 1 + seed);
  const at::Tensor pattern = patterns.normal({classes, 3, kImageSide, kImageSide});
  BenchImages images{.batches = {}, .labels = labels_in_turn(count, classes)};
  for (std::int64_t first = 0; first < count; first += kImagesAtOnce) {
    const std::int64_t n = std::min(kImagesAtOnce, count - first);
    const at::Tensor own = pattern.index_select(0, images.labels.narrow(0, first, n));
    images.batches.push_back(upload(draw.normal({n, 3, kImageSide, kImageSide}).mul_(kScatter).add_(own), device));
  }
  images.labels = upload(images.labels, device);
  return images;
}

LossInput bench_batch(const wire::BenchSize& size, const LossTraits& traits, at::Device device) {
  Draw draw(kSeed);
  const std::int64_t width = width_of(size, traits), views = traits.views;
  const at::Tensor labels = labels_in_turn(size.rows, size.classes).index_select(0, draw.mixed(size.rows));
  const auto outputs = [&](std::int64_t rows) {
    at::Tensor made = draw.normal({rows, width});
    return leaf(traits.normalized_embedding ? normalized_rows(made) : made, device);
  };
  const auto features = [&](std::int64_t rows) {
    return leaf(draw.normal({rows, kBenchFeatureWidth}).relu_(), device);
  };
  LossInput input{.output = outputs(size.rows * views), .labels = upload(labels.repeat({views}), device)};
  if (traits.wants_features) input.features = features(size.rows * views);
  if (traits.wants_auxiliary) input.aux_output = outputs(size.rows);
  if (traits.wants_auxiliary && traits.wants_features) input.aux_features = features(size.rows);
  // As the trainer, which tells it to those that are not recorded.
  if (!traits.capturable) input.most_of_a_label = (size.rows + size.classes - 1) / size.classes * views;
  return input;
}

at::Tensor bench_class_means(const wire::BenchSize& size, const LossTraits& traits, at::Device device) {
  Draw draw(kSeed + 1);
  return upload(normalized_rows(draw.normal({size.classes, width_of(size, traits)})), device);
}

}  // namespace nearfar
