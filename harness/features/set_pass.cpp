#include "features/set_pass.h"

#include "base/error.h"
#include "base/hash.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <fmt/format.h>

#include <algorithm>
#include <exception>
#include <memory>
#include <span>

namespace nearfar {
namespace {

namespace fs = std::filesystem;

// With observers, pixels a batch: all maps and the graph of a ResNet are about 7 KB a pixel, so 2 GB, and 4 more where
// a method asks for float64.
constexpr std::int64_t kObservedPixels = std::int64_t{1} << 18;

Needs needs_of(const std::vector<const Observer*>& observers) {
  Needs needs = 0;
  for (const Observer* observer : observers) needs |= observer->needs;
  return needs;
}

}  // namespace

FeatureBatch run_network(Network& network, const ImageView& images, std::int64_t batch_size,
                         const std::function<void(std::int64_t)>& progress) {
  check_images(images);
  NEARFAR_ASSERT(batch_size > 0);
  const EvalScope scope(network);
  FeatureBatch batch;
  batch.features = at::empty({images.count, network.feature_dim()}, at::kFloat);
  if (network.has_classifier()) batch.logits = at::empty({images.count, network.output_dim()}, at::kFloat);
  batch.labels = label_tensor(images);
  for (std::int64_t first = 0; first < images.count; first += batch_size) {
    const std::int64_t last = std::min(first + batch_size, images.count);
    const at::Tensor features = network.features(test_batch(images, first, last));
    batch.features.narrow(0, first, last - first).copy_(features);
    if (batch.logits.defined()) batch.logits.narrow(0, first, last - first).copy_(network.output(features));
    if (progress) progress(last);
  }
  return batch;
}

SetPass::SetPass(const fs::path& folder, bool whole, Network& network, const Normalization& normalization,
                 const ImageStream& stream, const std::vector<const Observer*>& observers)
    : normalization_(normalization),
      stream_(stream),
      info_(stream.info()),
      network_(network),
      pass_(network, needs_of(observers), normalization.std) {
  if (whole) {
    features_.emplace(folder / "features.npy", NpyType::float32, std::vector<std::int64_t>{network.feature_dim()});
    labels_.emplace(folder / "labels.npy", NpyType::int64, std::vector<std::int64_t>{});
    if (network.has_classifier())
      logits_.emplace(folder / "logits.npy", NpyType::float32, std::vector<std::int64_t>{network.output_dim()});
  }
  if (!observers.empty()) fs::create_directories(folder / "observed");
  for (const Observer* observer : observers) columns_.emplace_back(*observer, folder);
}

void SetPass::add(const Slab& slab) {
  const auto count = static_cast<std::size_t>(slab.count), first = static_cast<std::size_t>(slab.first);
  const ImageView view{.pixels = slab.pixels,
                       .labels = std::span(info_.labels).subspan(first, count),
                       .count = slab.count,
                       .channels = info_.channels,
                       .height = info_.height,
                       .width = info_.width,
                       .mean = normalization_.mean,
                       .std = normalization_.std};
  check_images(view);
  pixels_ = xxh3(std::as_bytes(slab.pixels), pixels_);
  const std::int64_t step =
      columns_.empty() ? slab.count
                       : std::clamp<std::int64_t>(kObservedPixels / (info_.height * info_.width), 1, slab.count);
  for (std::int64_t begin = 0; begin < slab.count; begin += step) {
    add_batch(view, begin, std::min(begin + step, slab.count), slab);
  }
  unreadable_.insert(unreadable_.end(), slab.unreadable.begin(), slab.unreadable.end());
  damaged_.insert(damaged_.end(), slab.damaged.begin(), slab.damaged.end());
}

void SetPass::add_batch(const ImageView& view, std::int64_t begin, std::int64_t end, const Slab& slab) {
  const std::unique_ptr<NetworkBatch> batch = pass_.run(test_batch(view, begin, end));
  check(*batch, slab.first + begin, slab);
  std::vector<at::Tensor> looks;
  for (ColumnWriter& column : columns_) looks.push_back(column.look(*batch));
  const auto labels = view.labels.subspan(static_cast<std::size_t>(begin), static_cast<std::size_t>(end - begin));
  if (slab.unreadable.empty()) return keep(*batch, looks, labels, 0);
  for (std::int64_t i = begin; i < end; ++i) {
    if (std::binary_search(slab.unreadable.begin(), slab.unreadable.end(), slab.first + i)) continue;
    keep(*batch, looks, labels.subspan(static_cast<std::size_t>(i - begin), 1), i - begin);
  }
}

/// Images from position `first` of the set. Observers that would compute with what is not finite fail here, with the
/// reason, and not somewhere inside.
void SetPass::check(const NetworkBatch& batch, std::int64_t first, const Slab& slab) {
  const auto look = [&](const at::Tensor& rows, const char* name, NonFinite& all, Needs users) {
    if (!rows.defined()) return;
    at::Tensor floats = rows.to(at::kFloat).contiguous();
    for (const std::int64_t image : slab.unreadable) {  // these are no images
      if (image < first || image >= first + rows.size(0)) continue;
      if (floats.is_alias_of(rows)) floats = floats.clone();
      floats[image - first].zero_();
    }
    NonFinite found = find_nonfinite(floats);
    if (found.rows == 0) return;
    if (all.rows == 0) {
      all = found;
      all.first += first;
      all.image = stream_.where(all.first);
      all.rows = 0;
      if (check_.cause.empty()) check_.cause = nonfinite_cause(network_);
    }
    all.rows += found.rows;
    for (ColumnWriter& column : columns_) {
      if ((column.observer().needs & users) == 0) continue;
      column.fail(std::make_exception_ptr(
          Error(ErrorKind::data, nonfinite_text(info_.name, name, all, info_.count, check_.cause))));
    }
  };
  look(batch.features(), "features", check_.features, ~Needs{0});
  look(batch.logits(), "logits", check_.logits, kLogits | kInputGradients);
}

/// As many rows as there are labels, from `row` of the batch.
void SetPass::keep(const NetworkBatch& batch, const std::vector<at::Tensor>& looks,
                   std::span<const std::int64_t> labels, std::int64_t row) {
  const auto count = static_cast<std::int64_t>(labels.size());
  if (features_) append_rows(*features_, batch.features().narrow(0, row, count));
  if (logits_) append_rows(*logits_, batch.logits().narrow(0, row, count));
  if (labels_) labels_->append(std::as_bytes(labels));
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    if (looks[i].defined()) columns_[i].append(looks[i].narrow(0, row, count));
  }
}

FeatureFacts SetPass::finish() {
  if (!features_) return {};
  features_->finish();
  if (logits_) logits_->finish();
  return {.images = labels_->finish(),
          .unreadable = unreadable_,
          .damaged = damaged_,
          .pixels = fmt::format("{:016x}", pixels_),
          .check = check_};
}

std::vector<const Observer*> SetPass::finish_columns() {
  std::vector<const Observer*> whole;
  for (ColumnWriter& column : columns_) {
    if (column.finish()) whole.push_back(&column.observer());
  }
  return whole;
}

}  // namespace nearfar
