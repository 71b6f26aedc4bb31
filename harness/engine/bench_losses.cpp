#include "engine/bench_inputs.h"
#include "engine/bench_runs.h"
#include "host/call.h"

#include <c10/core/GradMode.h>

namespace nearfar {
namespace {

/// A loss with its batch. A loss that keeps state (queues, prototypes) goes on from call to call, as in a training.
class TimedLoss {
 public:
  TimedLoss(const BenchSide& side, const wire::BenchSize& size, at::Device device)
      : loss_(side.plugin, side.params, side.plugin.label()), input_(bench_batch(size, loss_.traits(), device)) {
    loss_.prepare({.classes = size.classes,
                   .output_width = input_.output.size(1),
                   .feature_width = kBenchFeatureWidth,
                   .device = device,
                   .seed = 1});
    state_ = loss_.state();
    for (LossTensor& own : state_) {
      if (own.parameter) own.tensor.set_requires_grad(true);
    }
    if (loss_.traits().wants_class_means) loss_.start(bench_class_means(size, loss_.traits(), device));
  }

  BenchWork forward() {
    return {.prepare = [this] { clear(); }, .run = [this] { value_ = compute(); }};
  }
  BenchWork step() {
    return {.prepare = [this] { clear(); },
            .run =
                [this] {
                  value_ = compute();
                  guard(loss_.label(), "backward", [&] { value_.backward(); });
                }};
  }
  /// Of the graph of the last call.
  void clear() {
    value_ = at::Tensor();
    for (at::Tensor* leaf : {&input_.output, &input_.features, &input_.aux_output, &input_.aux_features}) {
      if (leaf->defined()) leaf->mutable_grad().reset();
    }
    for (LossTensor& own : state_) {
      if (own.parameter) own.tensor.mutable_grad().reset();
    }
  }

 private:
  at::Tensor compute() {
    const c10::AutoGradMode gradients(true);
    ++input_.step;
    return loss_.forward(input_);
  }

  LossHandle loss_;
  LossInput input_;
  std::vector<LossTensor> state_;
  at::Tensor value_;
};

}  // namespace

std::vector<wire::BenchMeasure> bench_losses(const BenchSide& subject, const BenchSide& reference,
                                             const wire::BenchSize& size, const BenchClock& clock, at::Device device) {
  TimedLoss a(subject, size, device), b(reference, size, device);
  std::vector<wire::BenchMeasure> measures;
  measures.push_back(clock.measure("forward", size.rows, a.forward(), b.forward()));
  a.clear();
  b.clear();
  measures.push_back(clock.measure("step", size.rows, a.step(), b.step()));
  return measures;
}

}  // namespace nearfar
