#include "conformance/problem.h"

#include <ATen/ops/empty.h>

#include <cmath>
#include <vector>

namespace nearfar {
namespace {

using I = std::int64_t;
constexpr I kChannels = 3, kSide = 6;

HeadWeights linear_head(I classes) {
  return {formula(classes, kProblemWidth,
                  [](double c, double j) {
                    return (std::fmod(j, kProblemClasses) == c ? 1 : -0.2) + 0.1 * std::cos(1.1 * c + 0.9 * j);
                  }),
          formula(1, classes, [](double, double c) { return 0.1 * c; }).squeeze(0)};
}

at::Tensor pixels_of_classes(I count, double phase) {
  // A class is a pattern of rows of the image; its own pixels and channels move a little.
  return formula(count, kChannels * kSide * kSide,
                 [phase](double i, double at) {
                   const double channel = std::floor(at / (kSide * kSide)),
                                row = std::fmod(std::floor(at / kSide), kSide);
                   const bool own = std::fmod(i + row + channel, kProblemClasses) == 0;
                   return (own ? 1.5 : 0) + 0.5 * std::abs(std::sin(phase + 0.7 * i * i + 1.3 * at + 0.1 * i * at));
                 })
      .view({count, kChannels, kSide, kSide});
}

}  // namespace

at::Tensor formula(I rows, I columns, const std::function<double(double, double)>& f) {
  at::Tensor result = at::empty({rows, columns});
  float* values = result.mutable_data_ptr<float>();
  for (I i = 0; i < rows; ++i) {
    for (I j = 0; j < columns; ++j)
      values[i * columns + j] = static_cast<float>(f(static_cast<double>(i), static_cast<double>(j)));
  }
  return result;
}

at::Tensor unit_rows_of(const at::Tensor& rows) { return rows.div(rows.norm(2, {1}, true).clamp_min(1e-12)); }

at::Tensor class_labels(I count, I classes) {
  at::Tensor result = at::empty({count}, at::kLong);
  I* values = result.mutable_data_ptr<I>();
  for (I i = 0; i < count; ++i) values[i] = i % classes;
  return result;
}

FeatureBatch map_tensors(const FeatureBatch& batch, const std::function<at::Tensor(const at::Tensor&)>& f) {
  const auto mapped = [&](const at::Tensor& tensor) { return tensor.defined() ? f(tensor) : tensor; };
  return {mapped(batch.features), mapped(batch.normalized), mapped(batch.logits), mapped(batch.labels),
          mapped(batch.observed)};
}

FeatureBatch part(const FeatureBatch& batch, I first, I count) {
  return map_tensors(batch, [&](const at::Tensor& whole) { return whole.narrow(0, first, count); });
}

std::vector<at::Tensor> tensors_of(const FeatureBatch& batch) {
  std::vector<at::Tensor> all;
  map_tensors(batch, [&](const at::Tensor& tensor) {
    all.push_back(tensor);
    return tensor;
  });
  return all;
}

Images images_of_classes(I count, double phase) {
  return {formula(count, kProblemWidth,
                  [phase](double i, double j) {
                    return std::abs(std::sin(phase + 0.7 * i * i + 1.3 * j + 0.1 * i * j)) +
                           (std::fmod(i, kProblemClasses) == std::fmod(j, kProblemClasses) ? 2 : 0);
                  }),
          pixels_of_classes(count, phase)};
}

Images images_of(const at::Tensor& features) { return {features, {}}; }

Images images_of_none(I count) {
  return {formula(count, kProblemWidth,
                  [](double i, double j) { return 0.6 * std::abs(std::sin(2.1 + 0.9 * i * i + 0.8 * j)); }),
          formula(count, kChannels * kSide * kSide, [](double i, double at) {
            return 0.5 * std::abs(std::sin(2.1 + 0.9 * i * i + 0.8 * at));
          }).view({count, kChannels, kSide, kSide})};
}

Problem problem_of(const Images& train, I classes) { return {train, linear_head(classes), classes}; }
Problem usual_problem() { return problem_of(images_of_classes(kProblemRows)); }

FeatureBatch with_logits(const at::Tensor& features, const HeadWeights& head) {
  return {features, unit_rows_of(features), features.mm(head.weight.t()).add(head.bias), {}};
}

}  // namespace nearfar
