#include "features/set_pass.h"

#include "base/error.h"
#include "base/hash.h"
#include "base/log.h"
#include "device/device.h"
#include "device/out_of_memory.h"
#include "kernels/augment.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/tensor.h>
#include <fmt/format.h>

#include <algorithm>
#include <exception>
#include <memory>
#include <span>

namespace nearfar {
namespace {

namespace fs = std::filesystem;

// With observers: all maps and the graph of a ResNet are about 7 KB a pixel, and twice as much where a method asks for
// float64. On a CPU 2 GB, and 4 more; on a device a quarter of what is free.
constexpr std::int64_t kObservedPixels = std::int64_t{1} << 18, kObservedBytes = 24576;

std::int64_t observed_images(at::Device device, std::int64_t area) {
  const std::int64_t pixels = device.is_cpu() ? kObservedPixels : device_memory(device).free / 4 / kObservedBytes;
  return std::max<std::int64_t>(1, pixels / area);
}

Needs needs_of(const std::vector<const Observer*>& observers) {
  Needs needs = 0;
  for (const Observer* observer : observers) needs |= observer->needs;
  return needs;
}

ImageView view_of(const Slab& slab, const SetInfo& info, const Normalization& normalization) {
  const auto count = static_cast<std::size_t>(slab.count), first = static_cast<std::size_t>(slab.first);
  return {.pixels = slab.pixels,
          .labels = std::span(info.labels).subspan(first, count),
          .count = slab.count,
          .channels = info.channels,
          .height = info.height,
          .width = info.width,
          .mean = normalization.mean,
          .std = normalization.std};
}

}  // namespace

std::int64_t images_at_once(std::int64_t height, std::int64_t width) {
  constexpr std::int64_t kPixels = std::int64_t{1} << 18;
  return std::clamp<std::int64_t>(kPixels / (height * width), 64, 256);
}

FeatureBatch run_network(Network& network, const ImageView& images, std::int64_t batch_size,
                         const std::function<void(std::int64_t)>& progress) {
  check_images(images);
  if (batch_size == 0) batch_size = images_at_once(images.height, images.width);
  NEARFAR_ASSERT(batch_size > 0);
  const EvalScope scope(network);
  const at::Device device = network.device();
  const at::TensorOptions floats = at::TensorOptions(at::kFloat).device(device);
  FeatureBatch batch;
  batch.features = at::empty({images.count, network.feature_dim()}, floats);
  if (network.has_classifier()) batch.logits = at::empty({images.count, network.output_dim()}, floats);
  batch.labels = upload(label_tensor(images), device);
  Uploader uploader(device);
  const at::Tensor table = device.is_cpu() ? at::Tensor() : table_tensor(images, device);
  for (std::int64_t first = 0; first < images.count; first += batch_size) {
    const std::int64_t last = std::min(first + batch_size, images.count);
    const at::Tensor in = device.is_cpu() ? test_batch(images, first, last)
                                          : normalize(uploader.send(pixel_tensor(images, first, last)), table);
    const at::Tensor features = network.features(in);
    batch.features.narrow(0, first, last - first).copy_(features);
    if (batch.logits.defined()) batch.logits.narrow(0, first, last - first).copy_(network.output(features));
    if (progress) progress(last);
  }
  return batch;
}

FeatureBatch run_network(Network& network, ImageStream& images, const Normalization& normalization,
                         const std::function<void(std::int64_t)>& progress, ImageFaults* faults) {
  const SetInfo& info = images.info();
  std::vector<at::Tensor> features, logits, labels;
  ImageFaults found;
  for (Slab slab; images.next(slab);) {
    const FeatureBatch batch = run_network(network, view_of(slab, info, normalization), slab.count);
    found.damaged += static_cast<std::int64_t>(slab.damaged.size());
    found.unreadable += static_cast<std::int64_t>(slab.unreadable.size());
    std::vector<std::int64_t> rows;
    for (std::int64_t row = 0; row < slab.count; ++row) {
      if (!std::binary_search(slab.unreadable.begin(), slab.unreadable.end(), slab.first + row)) rows.push_back(row);
    }
    const auto used = [&, all = slab.unreadable.empty()](const at::Tensor& whole) {
      return all || !whole.defined() ? whole : whole.index_select(0, upload(at::tensor(rows), network.device()));
    };
    features.push_back(used(batch.features));
    labels.push_back(used(batch.labels));
    if (batch.logits.defined()) logits.push_back(used(batch.logits));
    if (progress) progress(slab.first + slab.count);
  }
  if (faults != nullptr) *faults = found;
  if (features.empty()) throw Error(ErrorKind::data, fmt::format("set '{}' has no image", info.name));
  FeatureBatch all;
  all.features = at::cat(features);
  if (!logits.empty()) all.logits = at::cat(logits);
  all.labels = at::cat(labels);
  return all;
}

SetPass::SetPass(const fs::path& folder, bool whole, Network& network, const Normalization& normalization,
                 const ImageStream& stream, const std::vector<const Observer*>& observers)
    : normalization_(normalization),
      stream_(stream),
      info_(stream.info()),
      network_(network),
      pass_(network, needs_of(observers), normalization.std),
      uploader_(network.device()),
      downloader_(network.device()) {
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
  const ImageView view = view_of(slab, info_, normalization_);
  check_images(view);
  pixels_ = xxh3(std::as_bytes(slab.pixels), pixels_);
  const at::Device device = network_.device();
  if (!device.is_cpu() && !table_.defined()) table_ = table_tensor(view, device);
  const at::Tensor sent = device.is_cpu() ? at::Tensor() : uploader_.send(pixel_tensor(view, 0, slab.count));
  if (most_ == 0) most_ = columns_.empty() ? slab.count : observed_images(device, info_.height * info_.width);
  for (std::int64_t begin = 0, size = 0; begin < slab.count; begin += size) {
    size = std::min(most_, slab.count - begin);
    Part part{.first = slab.first + begin, .count = size};
    for (const std::int64_t image : slab.unreadable) {
      if (part.first <= image && image < part.first + size) part.unreadable.push_back(image);
    }
    add_part(device.is_cpu() ? test_batch(view, begin, begin + size) : normalize(sent.narrow(0, begin, size), table_),
             part);
  }
  unreadable_.insert(unreadable_.end(), slab.unreadable.begin(), slab.unreadable.end());
  damaged_.insert(damaged_.end(), slab.damaged.begin(), slab.damaged.end());
}

/// Where a device's memory is too small for so many images, half of them are tried, here and from now on.
void SetPass::add_part(const at::Tensor& images, const Part& part) {
  try {
    return compute(images, part);
  } catch (const std::exception& error) {
    if (!is_out_of_memory(error) || part.count < 2) throw;
  }
  const std::int64_t half = (part.count + 1) / 2;
  if (half < most_)
    log_info(fmt::format("the device's memory is too small for {} images at once; {} are tried", most_, half));
  most_ = std::min(most_, half);
  for (const std::int64_t begin : {std::int64_t{0}, half}) {
    const std::int64_t size = std::min(half, part.count - begin);
    Part less{.first = part.first + begin, .count = size};
    for (const std::int64_t image : part.unreadable) {
      if (less.first <= image && image < less.first + size) less.unreadable.push_back(image);
    }
    add_part(images.narrow(0, begin, size), less);
  }
}

void SetPass::compute(const at::Tensor& images, const Part& part) {
  const std::unique_ptr<NetworkBatch> batch = pass_.run(images);
  // What looks inside must not compute with NaN: a device would be asked for an element that there is not, and refuse
  // everything from then on. Where nothing looks, the check waits until the values are on the host anyway.
  const bool early = !columns_.empty();
  if (early && part.first + part.count > checked_) {  // not those that are halves of what was looked at
    check(download(batch->features()), download(batch->logits()), part);
    checked_ = part.first + part.count;
  }
  std::vector<at::Tensor> rows{batch->features(), batch->logits()};
  for (ColumnWriter& column : columns_) rows.push_back(column.look(*batch, /*may_be_less=*/part.count > 1));
  for (at::Tensor& tensor : rows) {
    if (tensor.defined()) tensor = tensor.to(at::kFloat).contiguous();
  }
  downloader_.fetch(rows, [this, part, early](const std::vector<at::Tensor>& host) {
    if (!early) check(host[0], host[1], part);
    keep(host, part);
  });
}

/// Tensors on the host. Observers that would compute with what is not finite fail here, with the reason, and not
/// somewhere inside.
void SetPass::check(const at::Tensor& features, const at::Tensor& logits, const Part& part) {
  const auto look = [&](const at::Tensor& rows, const char* name, NonFinite& all, Needs users) {
    if (!rows.defined()) return;
    at::Tensor floats = rows.to(at::kFloat).contiguous();
    if (!part.unreadable.empty() && floats.is_alias_of(rows)) floats = floats.clone();
    for (const std::int64_t image : part.unreadable) floats[image - part.first].zero_();  // these are no images
    NonFinite found = find_nonfinite(floats);
    if (found.rows == 0) return;
    if (all.rows == 0) {
      all = found;
      all.first += part.first;
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
  look(features, "features", check_.features, ~Needs{0});
  look(logits, "logits", check_.logits, kLogits | kInputGradients);
}

/// `rows`: features, logits, then what each column is given; on the host.
void SetPass::keep(const std::vector<at::Tensor>& rows, const Part& part) {
  if (part.unreadable.empty()) return append(rows, 0, part.count, part.first);
  for (std::int64_t row = 0; row < part.count; ++row) {
    if (!std::binary_search(part.unreadable.begin(), part.unreadable.end(), part.first + row))
      append(rows, row, 1, part.first);
  }
}

void SetPass::append(const std::vector<at::Tensor>& rows, std::int64_t row, std::int64_t count, std::int64_t first) {
  const auto labels =
      std::span(info_.labels).subspan(static_cast<std::size_t>(first + row), static_cast<std::size_t>(count));
  if (features_) append_rows(*features_, rows[0].narrow(0, row, count));
  if (logits_) append_rows(*logits_, rows[1].narrow(0, row, count));
  if (labels_) labels_->append(std::as_bytes(labels));
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    if (rows[2 + i].defined()) columns_[i].append(rows[2 + i].narrow(0, row, count));
  }
}

FeatureFacts SetPass::finish() {
  downloader_.finish();
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
  downloader_.finish();
  std::vector<const Observer*> whole;
  for (ColumnWriter& column : columns_) {
    if (column.finish()) whole.push_back(&column.observer());
  }
  return whole;
}

}  // namespace nearfar
