#include "train/step.h"

#include "base/error.h"
#include "base/log.h"
#include "device/transfer.h"
#include "train/autocast.h"
#include "train/loss_output.h"
#include "train/random.h"

#include <ATen/Context.h>
#include <ATen/core/Generator.h>
#include <ATen/ops/full.h>
#include <ATen/ops/zeros.h>
#include <c10/core/GradMode.h>
#include <c10/util/Exception.h>
#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace nearfar {
namespace {

// Before a capture: what libraries set up when they are first used must be there.
constexpr std::int64_t kStepsBeforeCapture = 3;

std::string reason_of(const std::exception& error) {
  const auto* torch = dynamic_cast<const c10::Error*>(&error);
  return torch != nullptr ? torch->what_without_backtrace() : error.what();
}

void copy_into(const std::vector<Batch>& to, const std::vector<Batch>& from) {
  for (std::size_t i = 0; i < to.size(); ++i) {
    to[i].images.copy_(from[i].images);
    to[i].labels.copy_(from[i].labels);
  }
}

}  // namespace

TrainingStep::TrainingStep(StepParts parts)
    : parts_(std::move(parts)),
      device_(parts_.network.device()),
      may_capture_(parts_.traits.capturable && !device_.is_cpu()) {
  const auto on_device = at::TensorOptions().device(device_);
  const std::int64_t batch = parts_.recipe.batch_size;
  place_ = at::zeros({1}, on_device.dtype(at::kLong));
  losses_ = at::zeros({(parts_.images + batch - 1) / batch}, on_device.dtype(at::kDouble));
  if (parts_.recipe.clip_norm > 0) norm_ = at::zeros({}, on_device.dtype(at::kDouble));
}

void TrainingStep::begin_epoch(std::int64_t epoch, std::span<const std::int64_t> order, std::int64_t done) {
  epoch_ = epoch;
  next_ = done;
  images_ = static_cast<std::int64_t>(order.size());
  parts_.batches.begin_epoch(epoch, order, std::min(images_, done * parts_.recipe.batch_size));
}

void TrainingStep::run(std::int64_t step, double learning_rate) {
  const std::int64_t batch = parts_.recipe.batch_size, size = std::min(batch, images_ - next_ * batch);
  const std::int64_t parts = std::clamp<std::int64_t>(size / 2, 1, parts_.recipe.accumulate);
  std::vector<Batch> batches;
  for (std::int64_t part = 0; part < parts; ++part)
    batches.push_back(parts_.batches.next(size * (part + 1) / parts - size * part / parts));
  parts_.optimizer.set_rate(learning_rate);
  place_.fill_(next_++);
  // A checkpoint needs no state of a generator: every step starts it anew.
  at::Generator generator = at::globalContext().defaultGenerator(device_);
  generator.set_current_seed(derive_seed(parts_.seed, static_cast<std::uint64_t>(step)));
  if (may_capture_ && !graph_ && steps_run_ >= kStepsBeforeCapture && size == batch) capture(batches, step);
  ++steps_run_;
  if (!graph_ || size != batch) return enqueue(batches, step);
  copy_into(captured_, batches);
  graph_->replay();
}

/// A loss that waits for the device, or does something else that cannot be recorded, is trained step by step.
void TrainingStep::capture(const std::vector<Batch>& batches, std::int64_t step) {
  may_capture_ = false;
  for (const Batch& batch : batches) captured_.push_back({batch.images.clone(), batch.labels.clone()});
  graph_ = make_graph(device_);
  try {
    graph_->begin();
    enqueue(captured_, step);
    graph_->end();
    return;
  } catch (const std::exception& error) {
    log_info("training runs step by step, since a step cannot be captured as a graph: " + reason_of(error));
  }
  graph_.reset();
  captured_.clear();
}

/// Everything of a step that happens on the device; nothing of it may depend on a value that lies on the host.
void TrainingStep::enqueue(const std::vector<Batch>& batches, std::int64_t step) {
  std::int64_t images = 0;
  for (const Batch& batch : batches) images += batch.labels.size(0);
  parts_.optimizer.zero_grad();
  at::Tensor sum;
  for (const Batch& batch : batches) {
    at::Tensor loss = loss_of(batch, step);
    if (batches.size() > 1) loss = loss.mul(static_cast<double>(batch.labels.size(0)) / static_cast<double>(images));
    guarded([&] { loss.backward(); });  // guarded too: the plugin may bring autograd functions of its own
    const at::Tensor value = loss.detach().to(at::kDouble).view({1});
    sum = sum.defined() ? sum.add(value) : value;
  }
  losses_.index_copy_(0, place_, sum);
  if (norm_.defined()) {
    norm_.copy_(parts_.optimizer.gradient_norm());
    parts_.optimizer.clip(norm_, parts_.recipe.clip_norm);
  }
  parts_.optimizer.step();
  if (parts_.average != nullptr) parts_.average->update();
}

at::Tensor TrainingStep::loss_of(const Batch& batch, std::int64_t step) const {
  const LossTraits& traits = parts_.traits;
  LossInput input{.output = {},
                  .labels = batch.labels.repeat({traits.views}),
                  .epoch = epoch_,
                  .step = step,
                  .most_of_a_label = traits.views * batch.most_of_a_label};
  if (parts_.recipe.label_smoothing > 0) input.soft_targets = smoothed(input.labels);
  {
    const Autocast scope(device_, parts_.recipe.dtype);
    const at::Tensor features = parts_.network.features(batch.images);
    input.output = loss_output(parts_.network, features, traits);
    if (traits.wants_features) input.features = features.to(at::kFloat);
  }
  at::Tensor loss;
  guarded([&] { loss = parts_.loss.forward(input); });
  if (!loss.defined() || loss.numel() != 1 || !loss.requires_grad()) {
    throw Error(ErrorKind::plugin,
                "the loss returned no differentiable scalar (undefined, several elements, or without a gradient)");
  }
  return loss;
}

/// [N,C]: 1 - s + s / C for the label, s / C for the others (Szegedy et al. 2016, section 7).
at::Tensor TrainingStep::smoothed(const at::Tensor& labels) const {
  const std::int64_t classes = parts_.network.spec().classes;
  const double share = parts_.recipe.label_smoothing, other = share / static_cast<double>(classes);
  const at::Tensor targets = at::full({labels.size(0), classes}, other, labels.options().dtype(at::kFloat));
  return targets.scatter(1, labels.unsqueeze(1), 1 - share + other);
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

double TrainingStep::gradient_norm() const {
  const at::Tensor norm = norm_.defined() ? norm_ : parts_.optimizer.gradient_norm();
  return *download(norm).contiguous().const_data_ptr<double>();
}

}  // namespace nearfar
