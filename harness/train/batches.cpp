#include "train/batches.h"

#include "base/error.h"
#include "base/log.h"
#include "device/device.h"
#include "device/transfer.h"

#include <ATen/ops/from_blob.h>
#include <ATen/ops/full.h>
#include <fmt/format.h>

namespace nearfar {
namespace {

/// A batch in channels-last memory as contiguous bytes, and back: what travels is one block.
at::Tensor as_rows(const at::Tensor& images) { return images.permute({0, 2, 3, 1}).contiguous(); }
at::Tensor as_images(const at::Tensor& rows) { return rows.permute({0, 3, 1, 2}); }

bool fits(const at::Tensor& pixels, at::Device device) {
  if (device.is_cpu() || static_cast<std::int64_t>(pixels.nbytes()) <= device_memory(device).free / 3) return true;
  log_info(fmt::format("the train images ({} MiB) do not fit into the device's memory: batches are made on the host",
                       pixels.nbytes() >> 20));
  return false;
}

class ResidentBatches final : public Batches {
 public:
  ResidentBatches(const ImageView& images, const AugmentRecipe& recipe, std::uint64_t seed, at::Device device)
      : recipe_(recipe),
        seed_(seed),
        device_(device),
        pixels_(pixel_tensor(images, 0, images.count)),
        made_on_(fits(pixels_, device) ? device : at::Device(at::kCPU)),
        host_labels_(label_tensor(images)),
        labels_(upload(host_labels_, device)),
        uploader_(device) {
    pixels_ = upload(pixels_, made_on_);
    table_ = table_tensor(images, made_on_);
  }

  void begin_epoch(std::int64_t epoch, std::span<const std::int64_t> order, std::int64_t done) override {
    host_order_ =
        at::from_blob(const_cast<std::int64_t*>(order.data()), {static_cast<std::int64_t>(order.size())}, at::kLong)
            .clone();
    order_ = upload(host_order_, device_);
    epoch_ = at::full({1}, epoch, at::TensorOptions(at::kLong).device(made_on_));
    next_ = done;
  }

  Batch next(std::int64_t size) override {
    NEARFAR_ASSERT(next_ + size <= order_.size(0));
    const at::Tensor rows = order_.narrow(0, next_, size);
    const at::Tensor& made_from = made_on_ == device_ ? rows : host_order_.narrow(0, next_, size);
    at::Tensor images = augment(pixels_, made_from, table_, recipe_, seed_, epoch_);
    if (made_on_ != device_) images = as_images(uploader_.send(as_rows(images)));
    const std::int64_t most = most_of_a_label(host_order_.narrow(0, next_, size));
    next_ += size;
    return {images, labels_.index_select(0, rows), most};
  }

 private:
  std::int64_t most_of_a_label(const at::Tensor& rows) const {
    return host_labels_.index_select(0, rows).bincount().max().item<std::int64_t>();
  }

  AugmentRecipe recipe_;
  std::uint64_t seed_;
  at::Device device_;
  at::Tensor pixels_;
  at::Device made_on_;
  at::Tensor table_;  ///< on made_on_
  at::Tensor host_labels_, host_order_;
  at::Tensor labels_, order_;  ///< on the device
  at::Tensor epoch_;           ///< [1] int64, where images are made
  std::int64_t next_ = 0;
  Uploader uploader_;
};

}  // namespace

AugmentRecipe augmentation(const TrainRecipe& recipe, const LossTraits& traits) {
  const Jitter jitter{recipe.brightness, recipe.contrast, recipe.saturation, recipe.hue};
  const bool jitters = jitter.brightness > 0 || jitter.contrast > 0 || jitter.saturation > 0 || jitter.hue > 0;
  return {.views = traits.views,
          .shift = recipe.shift,
          .smallest_crop = recipe.smallest_crop,
          .flip = recipe.flip,
          .jitter = jitter,
          .jitter_share = jitters ? recipe.jitter_share : 0,
          .gray_share = recipe.gray_share};
}

std::unique_ptr<Batches> resident_batches(const ImageView& images, const AugmentRecipe& recipe, std::uint64_t seed,
                                          at::Device device) {
  return std::make_unique<ResidentBatches>(images, recipe, seed, device);
}

}  // namespace nearfar
