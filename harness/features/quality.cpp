#include "features/quality.h"

#include "base/error.h"
#include "device/transfer.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/bucketize.h>
#include <ATen/ops/zeros.h>

#include <cmath>
#include <tuple>

namespace nearfar {

at::Tensor confidence_bins(const at::Tensor& confidence, std::int64_t bins) {
  const at::Tensor edges = at::arange(1, bins, confidence.options()).div(static_cast<double>(bins));
  return at::bucketize(confidence, edges);  // edges[i-1] < x <= edges[i]
}

Calibration calibration(const at::Tensor& logits, const at::Tensor& labels, std::int64_t bins) {
  NEARFAR_ASSERT(logits.dim() == 2 && logits.size(0) == labels.size(0) && labels.numel() > 0 && bins > 0);
  const at::Tensor log_p = logits.toType(at::kDouble).log_softmax(1);
  const at::Tensor of_label = log_p.gather(1, labels.unsqueeze(1));
  const auto [best, predictions] = log_p.max(1);
  const at::Tensor confidence = best.exp(), correct = predictions.eq(labels).toType(at::kDouble);
  // Share times the difference of means is the difference of sums, by N.
  at::Tensor gap = at::zeros({bins}, log_p.options());
  gap.index_add_(0, confidence_bins(confidence, bins), correct.sub(confidence));
  return {-of_label.mean().item<double>(), gap.abs().sum().item<double>() / static_cast<double>(labels.numel())};
}

std::vector<ClassCount> count_classes(const at::Tensor& predictions, const at::Tensor& labels, std::int64_t classes) {
  NEARFAR_ASSERT(predictions.sizes().equals(labels.sizes()));
  std::vector<ClassCount> counts(static_cast<std::size_t>(classes));
  const at::Tensor truth = download(labels).contiguous(), hits = download(predictions.eq(labels)).contiguous();
  const std::int64_t* label = truth.const_data_ptr<std::int64_t>();
  const bool* hit = hits.const_data_ptr<bool>();
  for (std::int64_t i = 0; i < truth.numel(); ++i) {
    NEARFAR_ASSERT(0 <= label[i] && label[i] < classes);
    ClassCount& count = counts[static_cast<std::size_t>(label[i])];
    ++count.images;
    if (hit[i]) ++count.correct;
  }
  return counts;
}

}  // namespace nearfar
