#pragma once
/// Class means and the covariance within classes, by blocks: memory is bounded by a block, never by the number of
/// images.
#include <nearfar/error.h>

#include <ATen/core/Tensor.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <cstdint>
#include <string>

namespace nearfar::common {

constexpr std::int64_t kStatisticsBlock = 4096;  // rows; 64 MiB of float64 at D = 2048

struct ClassMeans {
  at::Tensor means;   ///< [C,D] of the rows' type; zero for an absent class
  at::Tensor counts;  ///< [C] int64
};

/// `rows(first, count)` gives [count,D] float32 or float64 of N rows; labels [N] int64. Sums in float64. Error(data)
/// for no rows or a label outside 0..C-1.
template <class Rows>
ClassMeans class_means(Rows&& rows, const at::Tensor& labels, std::int64_t classes, std::int64_t width) {
  const std::int64_t total = labels.size(0);
  if (total == 0) throw Error(ErrorKind::data, "there are no train images to fit on");
  const std::int64_t smallest = labels.min().item<std::int64_t>(), largest = labels.max().item<std::int64_t>();
  if (smallest < 0 || largest >= classes) {
    throw Error(ErrorKind::data, "train labels run from " + std::to_string(smallest) + " to " +
                                     std::to_string(largest) + "; expected 0 to " + std::to_string(classes - 1));
  }
  at::Tensor sums = at::zeros({classes, width}, labels.options().dtype(at::kDouble));
  for (std::int64_t first = 0; first < total; first += kStatisticsBlock) {
    const std::int64_t count = std::min(kStatisticsBlock, total - first);
    sums.index_add_(0, labels.narrow(0, first, count), rows(first, count).toType(at::kDouble));
  }
  const at::Tensor counts = labels.bincount({}, classes);
  return {sums.div(counts.clamp_min(1).unsqueeze(1)).toType(rows(0, 0).scalar_type()), counts};
}

/// sklearn's EmpiricalCovariance of the class-centred rows: centred in the rows' type, the (nearly zero) column mean
/// taken off again in float64, divided by N. [D,D] float64.
template <class Rows>
at::Tensor within_class_covariance(Rows&& rows, const at::Tensor& labels, const at::Tensor& means) {
  const std::int64_t total = labels.size(0), width = means.size(1);
  const auto options = means.options().dtype(at::kDouble);
  at::Tensor products = at::zeros({width, width}, options), sum = at::zeros({width}, options);
  for (std::int64_t first = 0; first < total; first += kStatisticsBlock) {
    const std::int64_t count = std::min(kStatisticsBlock, total - first);
    const at::Tensor centred =
        rows(first, count).sub(means.index_select(0, labels.narrow(0, first, count))).toType(at::kDouble);
    products.addmm_(centred.t(), centred);
    sum.add_(centred.sum(0));
  }
  const at::Tensor mean = sum.div(total);
  return products.div_(total).sub_(mean.outer(mean));
}

}  // namespace nearfar::common
