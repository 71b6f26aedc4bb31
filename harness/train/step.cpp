#include "train/step.h"

#include "base/error.h"
#include "base/log.h"
#include "device/transfer.h"
#include "train/autocast.h"
#include "train/loss_output.h"
#include "train/random.h"

#include <ATen/Context.h>
#include <ATen/core/Generator.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/full.h>
#include <ATen/ops/zeros.h>
#include <c10/core/GradMode.h>
#include <c10/util/Exception.h>
#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <unordered_map>
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

/// How many parts a step of so many images is taken in: each has two images on every rank at least.
std::int64_t part_count(std::int64_t images, std::int64_t wanted, int ranks) {
  return std::clamp<std::int64_t>(images / ranks / 2, 1, wanted);
}

}  // namespace

TrainingStep::TrainingStep(StepParts parts)
    : parts_(std::move(parts)),
      device_(parts_.network.device()),
      may_capture_(parts_.traits.capturable && !device_.is_cpu() && parts_.group == nullptr) {
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
  order_.assign(order.begin(), order.end());
  const std::int64_t batch = parts_.recipe.batch_size;
  if (parts_.group == nullptr) return parts_.batches.begin_epoch(epoch, order, std::min(images_, done * batch));
  std::vector<std::int64_t> own;
  std::int64_t own_done = 0;
  for (std::int64_t first = 0; first < images_; first += batch) {
    const RankShare share = rank_share(std::min(batch, images_ - first), parts_.group->rank(), ranks());
    const auto begin = order.begin() + first + share.first;
    own.insert(own.end(), begin, begin + share.count);
    if (first < done * batch) own_done += share.count;
  }
  parts_.batches.begin_epoch(epoch, own, own_done);
}

void TrainingStep::run(std::int64_t step, double learning_rate) {
  const std::int64_t batch = parts_.recipe.batch_size, images = std::min(batch, images_ - next_ * batch);
  const int rank = parts_.group != nullptr ? parts_.group->rank() : 0;
  const std::int64_t size = rank_share(images, rank, ranks()).count;
  const std::int64_t parts = part_count(images, parts_.recipe.accumulate, ranks());
  std::vector<Batch> batches;
  for (std::int64_t part = 0; part < parts; ++part)
    batches.push_back(parts_.batches.next(size * (part + 1) / parts - size * part / parts));
  parts_.optimizer.set_rate(learning_rate);
  place_.fill_(next_);
  seed(step, static_cast<std::uint64_t>(rank));
  if (may_capture_ && !graph_ && steps_run_ >= kStepsBeforeCapture && images == batch) capture(batches, images, step);
  ++steps_run_;
  if (!graph_ || images != batch) {
    enqueue(batches, images, step);
  } else {
    copy_into(captured_, batches);
    graph_->replay();
  }
  ++next_;
}

/// A checkpoint needs no state of a generator: every step starts it anew. Ranks draw other numbers for other images,
/// and the same ones for the loss, which they all compute.
void TrainingStep::seed(std::int64_t step, std::uint64_t rank) const {
  at::Generator generator = at::globalContext().defaultGenerator(device_);
  const std::uint64_t own = derive_seed(parts_.seed, static_cast<std::uint64_t>(step));
  generator.set_current_seed(rank == 0 ? own : derive_seed(own, rank));
}

/// A loss that waits for the device, or does something else that cannot be recorded, is trained step by step.
void TrainingStep::capture(const std::vector<Batch>& batches, std::int64_t images, std::int64_t step) {
  may_capture_ = false;
  for (const Batch& batch : batches) captured_.push_back({batch.images.clone(), batch.labels.clone()});
  graph_ = make_graph(device_);
  try {
    graph_->begin();
    enqueue(captured_, images, step);
    graph_->end();
    return;
  } catch (const std::exception& error) {
    log_info("training runs step by step, since a step cannot be captured as a graph: " + reason_of(error));
  }
  graph_.reset();
  captured_.clear();
}

/// Everything of a step that happens on the device; nothing of it may depend on a value that lies on the host.
void TrainingStep::enqueue(const std::vector<Batch>& batches, std::int64_t images, std::int64_t step) {
  parts_.optimizer.zero_grad();
  const auto parts = static_cast<std::int64_t>(batches.size());
  at::Tensor sum;
  for (std::int64_t part = 0; part < parts; ++part) {
    const std::vector<std::int64_t> counts = part_counts(images, part, parts);
    at::Tensor loss =
        loss_of(batches[static_cast<std::size_t>(part)], counts, most_of_a_label(images, part, parts), step);
    const std::int64_t own = std::accumulate(counts.begin(), counts.end(), std::int64_t{0});
    if (parts > 1) loss = loss.mul(static_cast<double>(own) / static_cast<double>(images));
    if (parts_.reducer != nullptr && part + 1 == parts) parts_.reducer->begin();
    guarded([&] { loss.backward(); });  // guarded too: the plugin may bring autograd functions of its own
    const at::Tensor value = loss.detach().to(at::kDouble).view({1});
    sum = sum.defined() ? sum.add(value) : value;
  }
  if (parts_.reducer != nullptr) parts_.reducer->finish();
  losses_.index_copy_(0, place_, sum);
  if (norm_.defined()) {
    norm_.copy_(parts_.optimizer.gradient_norm());
    parts_.optimizer.clip(norm_, parts_.recipe.clip_norm);
  }
  parts_.optimizer.step();
  if (parts_.average != nullptr) parts_.average->update();
}

/// Images of each rank in a part of a step.
std::vector<std::int64_t> TrainingStep::part_counts(std::int64_t images, std::int64_t part, std::int64_t parts) const {
  std::vector<std::int64_t> counts;
  for (int rank = 0; rank < ranks(); ++rank) {
    const std::int64_t size = rank_share(images, rank, ranks()).count;
    counts.push_back(size * (part + 1) / parts - size * part / parts);
  }
  return counts;
}

/// Rows of one label in a part of a step, over all ranks and views. A loss that may be captured does not read it.
std::int64_t TrainingStep::most_of_a_label(std::int64_t images, std::int64_t part, std::int64_t parts) const {
  if (parts_.traits.capturable || parts_.labels.empty()) return 0;
  std::unordered_map<std::int64_t, std::int64_t> rows;
  std::int64_t most = 0;
  for (int rank = 0; rank < ranks(); ++rank) {
    const RankShare share = rank_share(images, rank, ranks());
    const std::int64_t first = next_ * parts_.recipe.batch_size + share.first;
    for (std::int64_t i = share.count * part / parts; i < share.count * (part + 1) / parts; ++i) {
      const auto image = static_cast<std::size_t>(order_[static_cast<std::size_t>(first + i)]);
      most = std::max(most, ++rows[parts_.labels[image]]);
    }
  }
  return most * parts_.traits.views;
}

at::Tensor TrainingStep::loss_of(const Batch& batch, const std::vector<std::int64_t>& counts, std::int64_t most,
                                 std::int64_t step) const {
  const LossTraits& traits = parts_.traits;
  LossInput input{.output = {},
                  .labels = of_all(batch.labels, counts, 1).repeat({traits.views}),
                  .epoch = epoch_,
                  .step = step,
                  .most_of_a_label = most};
  if (parts_.recipe.label_smoothing > 0) input.soft_targets = smoothed(input.labels);
  {
    const Autocast scope(device_, parts_.recipe.dtype);
    const at::Tensor features = parts_.network.features(batch.images);
    input.output = of_all(loss_output(parts_.network, features, traits), counts, traits.views);
    if (traits.wants_features) input.features = of_all(features.to(at::kFloat), counts, traits.views);
  }
  if (parts_.group != nullptr) seed(step, 0);
  at::Tensor loss;
  guarded([&] { loss = parts_.loss.forward(input); });
  if (!loss.defined() || loss.numel() != 1 || !loss.requires_grad()) {
    throw Error(ErrorKind::plugin,
                "the loss returned no differentiable scalar (undefined, several elements, or without a gradient)");
  }
  return loss;
}

/// Rows of all ranks, view after view; of a single process the rows themselves.
at::Tensor TrainingStep::of_all(const at::Tensor& rows, const std::vector<std::int64_t>& counts,
                                std::int64_t views) const {
  if (parts_.group == nullptr) return rows;
  std::vector<at::Tensor> all;
  for (const at::Tensor& view : rows.chunk(views)) all.push_back(gathered(*parts_.group, view, counts));
  return views == 1 ? all[0] : at::cat(all);
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
