#include "train/step.h"

#include "base/error.h"
#include "base/log.h"
#include "features/accuracy.h"
#include "kernels/augment.h"
#include "train/autocast.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/full.h>
#include <c10/core/GradMode.h>
#include <c10/util/Exception.h>
#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace nearfar {
namespace {

// Before a capture: what libraries set up when they are first used must be there.
constexpr std::int64_t kStepsBeforeCapture = 3;

/// A batch in channels-last memory as contiguous bytes, and back: what travels is one block.
at::Tensor as_rows(const at::Tensor& images) { return images.permute({0, 2, 3, 1}).contiguous(); }
at::Tensor as_images(const at::Tensor& rows) { return rows.permute({0, 3, 1, 2}); }

std::string reason_of(const std::exception& error) {
  const auto* torch = dynamic_cast<const c10::Error*>(&error);
  return torch != nullptr ? torch->what_without_backtrace() : error.what();
}

}  // namespace

TrainingStep::TrainingStep(StepParts parts)
    : parts_(std::move(parts)),
      device_(parts_.network.device()),
      pixels_(pixel_tensor(parts_.images, 0, parts_.images.count)),
      may_capture_(parts_.traits.capturable && !device_.is_cpu()),
      uploader_(device_) {
  if (!device_.is_cpu()) resident_ = static_cast<std::int64_t>(pixels_.nbytes()) <= device_memory(device_).free / 3;
  if (!resident_) {
    may_capture_ = false;
    log_info(fmt::format("the train images ({} MiB) do not fit into the device's memory: batches are made on the host",
                         pixels_.nbytes() >> 20));
  }
  const at::Device where = resident_ ? device_ : at::Device(at::kCPU);
  const at::TensorOptions longs = at::TensorOptions(at::kLong).device(device_);
  pixels_ = upload(pixels_, where);
  table_ = table_tensor(parts_.images, where);
  labels_ = upload(label_tensor(parts_.images), device_);
  epoch_ = at::full({1}, 0, longs.device(where));
  place_ = at::full({1}, 0, longs);
  const std::int64_t batch = parts_.recipe.batch_size;
  rows_ = at::full({batch}, 0, longs);
  losses_ = at::full({(parts_.images.count + batch - 1) / batch}, 0.0, longs.dtype(at::kDouble));
}

void TrainingStep::begin_epoch(std::int64_t epoch, std::span<const std::int64_t> order) {
  host_order_ =
      at::from_blob(const_cast<std::int64_t*>(order.data()), {static_cast<std::int64_t>(order.size())}, at::kLong)
          .clone();
  order_ = upload(host_order_, device_);
  epoch_.fill_(epoch);
  epoch_number_ = epoch;
}

void TrainingStep::run(std::int64_t place, std::int64_t step, double learning_rate) {
  const std::int64_t batch = parts_.recipe.batch_size, first = place * batch;
  const std::int64_t size = std::min(batch, order_.size(0) - first);
  parts_.optimizer.set_rate(learning_rate);
  place_.fill_(place);
  const at::Tensor rows = order_.narrow(0, first, size);
  if (may_capture_ && !graph_ && steps_run_ >= kStepsBeforeCapture && size == batch) capture(step);
  ++steps_run_;
  if (!graph_ || size != batch) return enqueue(rows, step);
  rows_.copy_(rows);
  graph_->replay();
}

/// A loss that waits for the device, or does something else that cannot be recorded, is trained step by step.
void TrainingStep::capture(std::int64_t step) {
  may_capture_ = false;
  graph_ = make_graph(device_);
  try {
    graph_->begin();
    enqueue(rows_, step);
    graph_->end();
    return;
  } catch (const std::exception& error) {
    log_info("training runs step by step, since a step cannot be captured as a graph: " + reason_of(error));
  }
  graph_.reset();
}

/// Everything of a step that happens on the device; nothing of it may depend on a value that lies on the host.
void TrainingStep::enqueue(const at::Tensor& rows, std::int64_t step) {
  parts_.optimizer.zero_grad();
  const at::Tensor images = images_of(rows);
  LossInput input{.output = {},
                  .labels = labels_.index_select(0, rows).repeat({parts_.traits.views}),
                  .epoch = epoch_number_,
                  .step = step};
  {
    const Autocast scope(device_, parts_.recipe.dtype);
    const at::Tensor features = parts_.network.features(images);
    input.output = parts_.network.output(features).to(at::kFloat);
    if (parts_.traits.wants_features) input.features = features.to(at::kFloat);
  }
  if (parts_.traits.normalized_embedding) input.output = normalized_rows(input.output);
  at::Tensor loss;
  backward(input, loss);
  losses_.index_copy_(0, place_, loss.detach().to(at::kDouble).view({1}));
  parts_.optimizer.step();
}

at::Tensor TrainingStep::images_of(const at::Tensor& rows) {
  const AugmentRecipe recipe{.views = parts_.traits.views, .shift = parts_.recipe.shift, .flip = parts_.recipe.flip};
  if (resident_) return augment(pixels_, rows, table_, recipe, parts_.data_seed, epoch_);
  const std::int64_t first = rows.storage_offset();
  const at::Tensor made =
      augment(pixels_, host_order_.narrow(0, first, rows.size(0)), table_, recipe, parts_.data_seed, epoch_);
  return as_images(uploader_.send(as_rows(made)));
}

/// The loss, with gradients added to the parameters'.
void TrainingStep::backward(const LossInput& input, at::Tensor& loss) const {
  guarded([&] { loss = parts_.loss.forward(input); });
  if (!loss.defined() || loss.numel() != 1 || !loss.requires_grad()) {
    throw Error(ErrorKind::plugin,
                "the loss returned no differentiable scalar (undefined, several elements, or without a gradient)");
  }
  guarded([&] { loss.backward(); });  // guarded too: the plugin may bring autograd functions of its own
}

void TrainingStep::guarded(const std::function<void()>& call) const {
  if (parts_.guard) {
    parts_.guard(call);
  } else {
    call();
  }
}

std::vector<double> TrainingStep::losses(std::int64_t first, std::int64_t last) const {
  const at::Tensor host = download(losses_.narrow(0, first, last - first)).contiguous();
  const double* values = host.const_data_ptr<double>();
  return {values, values + host.numel()};
}

}  // namespace nearfar
