#include "engine/streamed_batches.h"

#include "base/error.h"
#include "device/transfer.h"
#include "kernels/augment.h"

#include <ATen/ops/from_blob.h>

#include <utility>

namespace nearfar {

/// What lies on the device, and the way there.
struct StreamedBatches::Sent {
  Sent(const ImageView& shape, at::Device device)
      : table(table_tensor(shape, device)), pixels(device), labels(device) {}
  at::Tensor table;
  Uploader pixels, labels;
};

StreamedBatches::StreamedBatches(std::unique_ptr<TrainStream> stream, int views, const std::vector<double>& mean,
                                 const std::vector<double>& std, at::Device device, FaultyImages& seen)
    : stream_(std::move(stream)),
      views_(views),
      height_(stream_->info().height),
      width_(stream_->info().width),
      sent_(std::make_unique<Sent>(ImageView{.pixels = {},
                                             .labels = {},
                                             .count = 0,
                                             .channels = 3,
                                             .height = height_,
                                             .width = width_,
                                             .mean = mean,
                                             .std = std},
                                   device)),
      seen_(seen) {}

StreamedBatches::~StreamedBatches() = default;

void StreamedBatches::begin_epoch(std::int64_t epoch, std::span<const std::int64_t> order, std::int64_t done) {
  slab_ = {};
  used_ = 0;
  stream_->begin_epoch(epoch, order, done);
}

Batch StreamedBatches::next(std::int64_t size) {
  if (used_ == slab_.count) {
    const bool more = stream_->next(slab_);
    NEARFAR_ASSERT(more);
    used_ = 0;
    seen_.unreadable.insert(slab_.unreadable.begin(), slab_.unreadable.end());
    seen_.damaged.insert(slab_.damaged.begin(), slab_.damaged.end());
  }
  NEARFAR_ASSERT(size > 0 && used_ + size <= slab_.count);
  // Lent by the stream until its next batch: what is sent has been copied into pinned memory by then, and on the CPU
  // normalisation has run.
  const at::Tensor pixels = at::from_blob(const_cast<std::uint8_t*>(slab_.pixels.data()),
                                          {views_, slab_.count, height_, width_, 3}, at::kByte);
  const at::Tensor labels =
      at::from_blob(const_cast<std::int64_t*>(slab_.labels.data()), {slab_.count}, at::kLong).narrow(0, used_, size);
  const at::Tensor part = pixels.narrow(1, used_, size).contiguous().view({views_ * size, height_, width_, 3});
  used_ += size;
  return {normalize(sent_->pixels.send(part), sent_->table), sent_->labels.send(labels.clone())};
}

}  // namespace nearfar
