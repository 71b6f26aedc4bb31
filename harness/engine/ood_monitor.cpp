#include "engine/ood_monitor.h"

#include "device/transfer.h"
#include "features/accuracy.h"
#include "metrics/ranking.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>

#include <span>
#include <vector>

namespace nearfar {
namespace {

/// OOD scores: higher = more out of distribution.
at::Tensor by_softmax(const at::Tensor& logits) { return logits.softmax(1).amax(1).neg(); }

at::Tensor by_means(const at::Tensor& features, const at::Tensor& means) {
  return normalized_rows(features.to(at::kFloat)).mm(means.t()).amax(1).neg();
}

/// Positions of images, turn by turn of their class: the first of a class, its third … in [0], the others in [1].
std::vector<std::int64_t> halves(const at::Tensor& labels, std::int64_t classes, std::size_t which) {
  const at::Tensor host = download(labels).contiguous();
  const std::int64_t* first = host.const_data_ptr<std::int64_t>();
  std::vector<std::size_t> seen(static_cast<std::size_t>(classes));
  std::vector<std::int64_t> rows;
  for (std::int64_t i = 0; i < host.numel(); ++i)
    if (seen[static_cast<std::size_t>(first[i])]++ % 2 == which) rows.push_back(i);
  return rows;
}

/// The mean direction of each class that has an image.
at::Tensor class_directions(const at::Tensor& features, const at::Tensor& labels, std::int64_t classes) {
  const at::Tensor rows = normalized_rows(features.to(at::kFloat));
  const at::Tensor sums = at::zeros({classes, rows.size(1)}, rows.options()).index_add_(0, labels, rows);
  return normalized_rows(sums.index_select(0, sums.abs().sum(1).nonzero().view({-1})));
}

std::optional<double> auroc_of(const at::Tensor& id, const at::Tensor& ood) {
  const at::Tensor a = download(id).to(at::kDouble).contiguous(), b = download(ood).to(at::kDouble).contiguous();
  if (a.numel() == 0 || b.numel() == 0 || !a.isfinite().all().item<bool>() || !b.isfinite().all().item<bool>())
    return std::nullopt;
  const auto values = [](const at::Tensor& of) {
    return std::span<const double>(of.const_data_ptr<double>(), static_cast<std::size_t>(of.numel()));
  };
  return auroc(values(a), values(b));
}

}  // namespace

std::optional<double> ood_val_auroc(const FeatureBatch& val, const FeatureBatch& ood, std::int64_t classes) {
  if (val.logits.defined()) return auroc_of(by_softmax(val.logits), by_softmax(ood.logits));
  const auto half = [&](std::size_t which) {
    return upload(at::tensor(halves(val.labels, classes, which), at::kLong), val.features.device());
  };
  const at::Tensor made_of = half(0), scored = half(1);
  if (scored.numel() == 0) return std::nullopt;
  const at::Tensor means =
      class_directions(val.features.index_select(0, made_of), val.labels.index_select(0, made_of), classes);
  return auroc_of(by_means(val.features.index_select(0, scored), means), by_means(ood.features, means));
}

}  // namespace nearfar
