#pragma once
/// Accuracy of a model on labelled images, by its linear head or, where it has none, by nearest class mean. Pure
/// functions.
#include <ATen/core/Tensor.h>

#include <cstdint>

namespace nearfar {

struct Classification {
  at::Tensor predictions;  ///< [N] int64
  double accuracy = 0;     ///< fraction correct; NaN for N = 0
};

/// features [N,D] -> rows divided by max(|row|, 1e-12), float32.
at::Tensor normalized_rows(const at::Tensor& features);

/// argmax of logits [N,C] against labels [N] int64.
Classification linear_accuracy(const at::Tensor& logits, const at::Tensor& labels);

/// Nearest class mean (`ncm`): means in float64 of the normalised train rows of each class, squared Euclidean distance
/// to each normalised row. train_features [M,D], train_labels [M], features [N,D], labels [N]. Classes without a train
/// row are never predicted. Error(data) if a train label is outside 0 … classes-1 or the widths differ.
Classification ncm_accuracy(const at::Tensor& train_features, const at::Tensor& train_labels, std::int64_t classes,
                            const at::Tensor& features, const at::Tensor& labels);

}  // namespace nearfar
