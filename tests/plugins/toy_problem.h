#pragma once
/// A problem that formulas determine completely: 8 features, 3 classes, 24 train rows, 5 test rows.
#include "common.h"

#include <ATen/ops/empty.h>

namespace nearfar::testing {

/// f(i, j) in double, then float32: [rows, columns].
template <class F>
at::Tensor formula(std::int64_t rows, std::int64_t columns, F f) {
  at::Tensor result = at::empty({rows, columns});
  for (std::int64_t i = 0; i < rows; ++i) {
    for (std::int64_t j = 0; j < columns; ++j)
      result.mutable_data_ptr<float>()[i * columns + j] =
          static_cast<float>(f(static_cast<double>(i), static_cast<double>(j)));
  }
  return result;
}

inline HeadWeights head() {
  return {formula(3, 8, [](double c, double j) { return std::cos(1.1 * c + 0.9 * j); }),
          formula(1, 3, [](double, double c) { return 0.1 * c; }).squeeze(0)};
}
inline FeatureBatch with_logits(const at::Tensor& raw, const HeadWeights& linear, const at::Tensor& its_labels = {}) {
  FeatureBatch batch = features(raw, its_labels);
  batch.logits = raw.mm(linear.weight.t()).add(linear.bias);
  return batch;
}
inline FitContext context() {
  FitContext result;
  result.head = head();
  std::vector<std::int64_t> y;
  for (std::int64_t i = 0; i < 24; ++i) y.push_back(i % 3);
  const at::Tensor x = formula(24, 8, [](double i, double j) {
    return std::max(0.0, std::sin(0.7 * i * i + 1.3 * j + 0.1 * i * j)) + 0.05 * std::fmod(i + 3 * j, 7.0);
  });
  result.train = result.val = with_logits(x, result.head, labels(y));
  result.classes = 3;
  return result;
}
inline FeatureBatch test_rows() {
  return with_logits(formula(5, 8,
                             [](double i, double j) {
                               return std::max(0.0, std::sin(0.3 + 1.7 * i + 0.5 * j)) + 0.02 * std::fmod(i * j, 5.0);
                             }),
                     head());
}

}  // namespace nearfar::testing
