#pragma once
/// Mahalanobis distance to the nearest class mean under the covariance that all classes share: fitted and scored by
/// blocks of rows, so memory is bounded by a block. What mds, rmds, reweightood and palm have in common.
#include "class_statistics.h"
#include "column_mean.h"
#include "nearest_mean.h"

#include <nearfar/error.h>

#include <ATen/core/Tensor.h>
#include <ATen/ops/zeros_like.h>

#include <algorithm>
#include <cstdint>
#include <limits>

namespace nearfar::common {

class Mahalanobis {
 public:
  /// `rows(first, count)` gives [count,D] float32 of the N train rows; labels [N] int64. Error(data) for no rows, no
  /// labels, or a label outside 0..C-1. A class without a row has no mean and no distance (OpenOOD gives NaN there).
  template <class Rows>
  void fit(Rows&& rows, const at::Tensor& labels, std::int64_t classes, std::int64_t width) {
    if (!labels.defined()) throw Error(ErrorKind::data, "the train images have no labels; class means need them");
    const auto [means, counts] = class_means(rows, labels, classes, width);
    nearest_ = NearestMean(within_class_covariance(rows, labels, means),
                           means.index_select(0, counts.gt(0).nonzero().squeeze(1)));
  }

  /// All train rows [N,D] as one class, whatever their labels.
  void fit_as_one_class(const at::Tensor& train, const at::Tensor& labels) {
    const auto rows = [&](std::int64_t first, std::int64_t count) { return train.narrow(0, first, count); };
    const at::Tensor whole = column_mean(train).unsqueeze(0);
    nearest_ = NearestMean(within_class_covariance(rows, at::zeros_like(labels), whole), whole);
  }

  /// [n,D] float32 -> [n] float64, squared distance; from 0.
  at::Tensor distances(const at::Tensor& rows) const { return nearest_.distances(rows); }

 private:
  NearestMean nearest_;
};

/// score(block) [n] float64 of features [N,D], a block at a time: [N] float32, kept inside float32's range so that it
/// is finite for finite features.
template <class Score>
at::Tensor score_by_blocks(const at::Tensor& features, Score&& score) {
  constexpr std::int64_t kBlock = 4096;  // rows
  constexpr double kMost = std::numeric_limits<float>::max();
  const std::int64_t total = features.size(0);
  at::Tensor scores = features.new_empty({total});
  for (std::int64_t first = 0; first < total; first += kBlock) {
    const at::Tensor block = features.narrow(0, first, std::min(kBlock, total - first));
    scores.narrow(0, first, block.size(0)).copy_(score(block).clamp(-kMost, kMost));
  }
  return scores;
}

}  // namespace nearfar::common
