#include "features/accuracy.h"

#include "base/error.h"

#include <ATen/ops/full.h>
#include <ATen/ops/zeros.h>
#include <fmt/format.h>

#include <cmath>
#include <limits>

namespace nearfar {
namespace {

Classification classified(const at::Tensor& predictions, const at::Tensor& labels) {
  NEARFAR_ASSERT(predictions.size(0) == labels.size(0));
  const std::int64_t count = labels.size(0);
  if (count == 0) return {predictions, std::numeric_limits<double>::quiet_NaN()};
  const auto correct = predictions.eq(labels).sum().item<std::int64_t>();
  return {predictions, static_cast<double>(correct) / static_cast<double>(count)};
}

}  // namespace

at::Tensor normalized_rows(const at::Tensor& features) {
  return features.div(features.norm(2, {1}, true).clamp_min(1e-12));
}

Classification linear_accuracy(const at::Tensor& logits, const at::Tensor& labels) {
  NEARFAR_ASSERT(logits.dim() == 2 && logits.size(1) > 0);
  return classified(logits.argmax(1), labels);
}

Classification ncm_accuracy(const at::Tensor& train_features, const at::Tensor& train_labels, std::int64_t classes,
                            const at::Tensor& features, const at::Tensor& labels) {
  NEARFAR_ASSERT(train_features.dim() == 2 && features.dim() == 2 && train_features.size(0) == train_labels.size(0));
  if (train_features.size(1) != features.size(1)) {
    throw Error(ErrorKind::data,
                fmt::format("train features are {} wide, these {}", train_features.size(1), features.size(1)));
  }
  if (train_labels.numel() == 0) throw Error(ErrorKind::data, "nearest class mean: no train images");
  const auto lowest = train_labels.min().item<std::int64_t>(), highest = train_labels.max().item<std::int64_t>();
  if (lowest < 0 || highest >= classes) {
    throw Error(ErrorKind::data,
                fmt::format("train labels go from {} to {}, expected 0 to {}", lowest, highest, classes - 1));
  }
  const at::Tensor train = normalized_rows(train_features).to(at::kDouble);
  const at::Tensor rows = normalized_rows(features).to(at::kDouble);
  const at::Tensor counts =
      at::zeros({classes}, train.options()).index_add(0, train_labels, at::full({train.size(0)}, 1.0, train.options()));
  const at::Tensor means = at::zeros({classes, train.size(1)}, train.options())
                               .index_add(0, train_labels, train)
                               .div(counts.clamp_min(1).unsqueeze(1));
  // |x - m|^2 without |x|^2, which is the same for every class.
  const at::Tensor distances = means.square().sum(1).sub(rows.matmul(means.t()).mul(2));  // [N,C]
  return classified(distances.masked_fill(counts.eq(0), std::numeric_limits<double>::infinity()).argmin(1), labels);
}

}  // namespace nearfar
