// A loss: its value and its gradient.
#include "conformance/check.h"
#include "conformance/loss_subject.h"
#include "device/device.h"
#include "device/transfer.h"

#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/one_hot.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace nearfar {
namespace {

using I = std::int64_t;

void traits(const Subject& subject) {
  const LossTraits traits = loss_traits(subject.plugin(), subject.loss().params());  // the host refuses nonsense
  expect(!(traits.takes_soft_targets && traits.head == HeadKind::embedding),
         "no soft targets of a loss on embeddings: they are of classes", "takes_soft_targets with head = embedding");
}

void loss(const Subject& subject) {
  LossSubject made(subject);
  made.expect_finite(made.usual_batch(), "a usual batch");
}

/// Within the tolerance, as one number and as a gradient.
void expect_equal(const Subject& subject, const LossResult& found, const LossResult& wanted, const std::string& what,
                  double tolerance = 0) {
  const double allowed = std::max(tolerance, subject.tolerance());
  const double difference = std::abs(found.value - wanted.value) / std::max(1.0, std::abs(wanted.value));
  expect(difference <= allowed, fmt::format("{}: {:.9g} within {:g}", what, wanted.value, allowed),
         fmt::format("{:.9g}", found.value));
  const double gradients = relative_difference(found.gradient, wanted.gradient, 1e-3);
  expect(gradients <= 10 * allowed, fmt::format("{}: the same gradient within {:g} of its largest", what, 10 * allowed),
         fmt::format("a difference of {:.3g}", gradients));
}

/// By central differences, as many values of the output as there are.
at::Tensor numeric_gradient(LossSubject& made, const LossBatch& batch, double step) {
  at::Tensor result = at::empty_like(batch.output, at::TensorOptions(at::kDouble));
  for (I i = 0; i < batch.output.size(0); ++i) {
    for (I j = 0; j < batch.output.size(1); ++j) {
      const auto beside = [&](double by) {
        LossBatch moved{batch.output.clone(), batch.labels};
        moved.output[i][j].add_(by);
        return made.run(moved).value;
      };
      result[i][j].fill_((beside(step) - beside(-step)) / (2 * step));
    }
  }
  return result;
}

/// float64 where the loss takes it. Some losses leave gradients out on purpose (weights, prototypes that follow): then
/// the numbers differ, and a step against the gradient still lowers the loss.
void gradient(const Subject& subject) {
  LossSubject made(subject);
  LossBatch batch = made.usual_batch();
  double step = 1e-6, tolerance = 1e-6;
  LossResult found;
  try {
    if (subject.plugin().description().tier == "c") throw Error(ErrorKind::plugin, "tier c is float32");
    const LossBatch exact{batch.output.toType(at::kDouble), batch.labels};
    found = made.run(exact);
    batch = exact;
  } catch (const Error&) {
    step = 1e-2;  // of float32 about 1e-7 / 1e-2 from rounding, 1e-4 from the third derivative
    tolerance = 2e-2;
    found = made.run(batch);
  }
  const at::Tensor numbers = numeric_gradient(made, batch, step);
  const double largest = std::max(numbers.abs().max().item<double>(), found.gradient.abs().max().item<double>());
  const double difference = found.gradient.sub(numbers).abs().max().item<double>() / std::max(largest, 1e-3);
  if (difference <= tolerance) return;
  const double along = found.gradient.mul(numbers).sum().item<double>();
  const std::string seen =
      fmt::format("a difference of {:.3g} of the largest in {} (step {:g})", difference, batch.output.toString(), step);
  const std::string expected = fmt::format("the gradient of central differences, within {:g}", tolerance);
  expect(along > 0, expected, seen + ", and a step against it does not lower the loss");
  warn_check(expected + " (a loss may leave parts out on purpose)", seen + "; a step against it lowers the loss");
}

/// A loss without state must not see the order of rows; one with state may take them in one by one.
void expect_or_warn(const Subject& subject, LossSubject& made, const LossResult& found, const LossResult& wanted,
                    const std::string& what) {
  try {
    expect_equal(subject, found, wanted, what);
  } catch (const CheckEnd& end) {
    if (!made.keeps_state()) throw;
    throw CheckEnd{CheckStatus::warn, end.message + "; it keeps state, and may take rows in one after the other"};
  }
}

/// The result of rows in another order, put back.
void check_order(const Subject& subject, const at::Tensor& order, const std::string& what) {
  LossSubject made(subject);
  const LossBatch batch = made.usual_batch();
  const LossResult wanted = made.run(batch);
  LossResult found = made.run({batch.output.index_select(0, order), batch.labels.index_select(0, order)});
  found.gradient = found.gradient.index_select(0, order.argsort());
  expect_or_warn(subject, made, found, wanted, what);
}

void batch_order(const Subject& subject) {
  LossSubject made(subject);
  const I views = made.traits().views, rows = made.usual_batch().labels.size(0);
  const at::Tensor one =
      at::arange(rows / views).mul(5).add(3).remainder(rows / views);  // 5 and 12 have no common factor
  at::Tensor order = one;
  if (views == 2) order = at::arange(rows).view({2, rows / 2}).index_select(1, one).reshape({rows});
  check_order(subject, order, "images in another order give the same loss");
}

void view_order(const Subject& subject) {
  LossSubject made(subject);
  if (made.traits().views == 1) skip_check("the loss has one view");
  const I rows = made.usual_batch().labels.size(0);
  check_order(subject, at::arange(rows).roll({rows / 2}), "the views exchanged give the same loss");
}

void repeats(const Subject& subject) {
  LossSubject made(subject);
  const LossBatch batch = made.batch(class_labels(16, kProblemClasses));
  const LossResult first = made.run(batch), second = made.run(batch);
  expect(first.value == second.value && first.gradient.equal(second.gradient),
         "the same bits of the same batch from the same state",
         fmt::format("{:.9g} and {:.9g}, gradients {:.3g} apart", first.value, second.value,
                     relative_difference(second.gradient, first.gradient)));
}

void threads(const Subject& subject) {
  LossSubject made(subject);
  const LossBatch batch = made.batch(class_labels(256, kProblemClasses));
  const LossResult one = made.run(batch);
  at::set_num_threads(2);
  const LossResult two = made.run(batch);
  at::set_num_threads(1);
  expect_equal(subject, two, one, "two threads give the loss of one");
}

void inputs(const Subject& subject) {
  LossSubject made(subject);
  const LossBatch batch = made.usual_batch();
  const at::Tensor output = upload(batch.output.clone(), subject.device());
  const LossInput input = made.input(batch, output);
  const std::vector<at::Tensor> given{input.output, input.labels, input.features, input.aux_output, input.aux_features};
  std::vector<at::Tensor> before;
  for (const at::Tensor& tensor : given) before.push_back(tensor.defined() ? tensor.detach().clone() : tensor);
  const NoGradScope scope;  // what autograd would refuse for a leaf is seen here
  made.loss().forward(input);
  for (std::size_t i = 0; i < given.size(); ++i) {
    expect(!given[i].defined() || given[i].equal(before[i]), "forward() leaves its inputs as they are",
           fmt::format("input {} changed (1 output, 2 labels, 3 features, 4 and 5 auxiliary)", i + 1));
  }
}

void without_gradients(const Subject& subject) {
  LossSubject made(subject);
  const LossBatch batch = made.usual_batch();
  const LossResult wanted = made.run(batch);
  made.restore();
  const NoGradScope scope;
  const at::Tensor value = made.loss().forward(made.input(batch, upload(batch.output, subject.device())));
  const double found = download(value).toType(at::kDouble).item<double>();
  expect(std::abs(found - wanted.value) <= subject.tolerance() * std::max(1.0, std::abs(wanted.value)),
         fmt::format("the same loss with gradients off, {:.9g}", wanted.value), fmt::format("{:.9g}", found));
}

/// What a network in bfloat16 gives: the trainer hands a loss float32, but of values that have 8 bits.
void bfloat16(const Subject& subject) {
  LossSubject made(subject);
  const LossBatch batch = made.usual_batch();
  const LossBatch rounded{batch.output.toType(at::kBFloat16).toType(at::kFloat), batch.labels};
  const LossResult wanted = made.run(batch), found = made.expect_finite(rounded, "outputs rounded to bfloat16");
  constexpr double kTolerance = 0.1;  // steps of 1/256, over a temperature of 0.1 or so
  expect(std::abs(found.value - wanted.value) <= kTolerance * std::max(1.0, std::abs(wanted.value)),
         fmt::format("a loss of outputs rounded to bfloat16 within {:g} of {:.6g}", kTolerance, wanted.value),
         fmt::format("{:.6g}", found.value));
}

void decreases(const Subject& subject) {
  constexpr int kSteps = 40;
  LossSubject made(subject);
  LossBatch batch = made.usual_batch();
  const double first = made.run(batch).value;
  double last = first, least = first;
  for (int i = 0; i < kSteps; ++i) {
    const LossResult at_step = i == 0 ? made.run(batch) : made.step(batch);
    last = at_step.value;
    least = std::min(least, last);
    const double length = at_step.gradient.norm().item<double>();
    if (length == 0) break;
    // Steps of one length: a loss's scale is its own affair.
    const at::Tensor moved = batch.output.sub(at_step.gradient.toType(at::kFloat).mul(0.2 / length));
    batch = made.batch_of(moved, batch.labels);
  }
  expect(least < first, fmt::format("a loss below {:.6g} after {} steps against the gradient", first, kSteps),
         fmt::format("{:.6g}", last));
}

void soft_targets(const Subject& subject) {
  LossSubject made(subject);
  if (!made.traits().takes_soft_targets) skip_check("the loss takes no soft targets");
  const LossBatch batch = made.usual_batch();
  const LossResult wanted = made.run(batch);
  made.restore();
  LossInput input = made.input(batch, upload(batch.output, subject.device()));
  input.soft_targets = upload(at::one_hot(batch.labels, kProblemClasses).toType(at::kFloat), subject.device());
  const double found = download(made.loss().forward(input).detach()).toType(at::kDouble).item<double>();
  expect(std::abs(found - wanted.value) <= subject.tolerance() * std::max(1.0, std::abs(wanted.value)),
         fmt::format("soft targets that are the labels give the labels' loss, {:.9g}", wanted.value),
         fmt::format("{:.9g}", found));
}

void device_equal(const Subject& subject) {
  const Subject on_cpu(subject, "cpu");
  LossSubject there(subject), here(on_cpu);
  expect_equal(subject, there.run(there.usual_batch()), here.run(here.usual_batch()),
               "the device gives the CPU's loss");
}

void capturable(const Subject& subject) {
  LossSubject made(subject);
  if (!made.traits().capturable) skip_check("the loss does not say that it is capturable");
  const LossBatch batch = made.usual_batch();
  const at::Tensor leaf = upload(batch.output.clone(), subject.device()).set_requires_grad(true);
  const LossInput input = made.input(batch, leaf);
  made.loss().forward(input).backward();  // what happens once may wait
  try {
    const ForbidWaits scope;
    made.loss().forward(input).backward();
  } catch (const std::exception& error) {
    fail_check("a loss that says it is capturable reads no value of a tensor", error.what());
  }
}

constexpr std::array kChecks{
    Check{.name = "loss-traits",
          .promise = "the traits of the parameters make sense",
          .concerns = kOfLosses,
          .after = "create",
          .run = traits,
          .on_devices = false},
    Check{.name = "loss",
          .promise = "forward() gives a finite scalar with a finite gradient",
          .concerns = kOfLosses,
          .after = "create loss-traits",
          .run = loss},
    Check{.name = "loss-gradient",
          .promise = "the gradient is that of central differences, in float64 where the loss takes it (warns where it "
                     "differs and still leads down)",
          .concerns = kOfLosses,
          .after = "loss",
          .run = gradient,
          .on_devices = false},
    Check{.name = "loss-batch-order",
          .promise = "the order of images does not matter (warns where the loss keeps state)",
          .concerns = kOfLosses,
          .after = "loss",
          .run = batch_order},
    Check{.name = "loss-view-order",
          .promise = "two views exchanged give the same loss (warns where the loss keeps state)",
          .concerns = kOfLosses,
          .after = "loss",
          .run = view_order},
    Check{.name = "loss-repeats",
          .promise = "the same batch from the same state gives the same bits again",
          .concerns = kOfLosses,
          .after = "loss",
          .run = repeats},
    Check{.name = "loss-threads",
          .promise = "LibTorch's number of threads does not matter",
          .concerns = kOfLosses,
          .after = "loss",
          .run = threads,
          .on_devices = false},
    Check{.name = "loss-inputs",
          .promise = "forward() leaves what it is given as it was, to the bit",
          .concerns = kOfLosses,
          .after = "loss",
          .run = inputs},
    Check{.name = "loss-without-gradients",
          .promise = "forward() with gradients off gives the same value",
          .concerns = kOfLosses,
          .after = "loss",
          .run = without_gradients},
    Check{
        .name = "loss-bfloat16",
        .promise =
            "outputs rounded to bfloat16, as mixed precision gives them, give a finite loss near that of the unrounded",
        .concerns = kOfLosses,
        .after = "loss",
        .run = bfloat16,
        .on_devices = false},
    Check{.name = "loss-decreases",
          .promise = "40 steps against the gradient of a toy batch lower it",
          .concerns = kOfLosses,
          .after = "loss",
          .run = decreases,
          .on_devices = false},
    Check{.name = "loss-soft-targets",
          .promise = "where it takes soft targets, those that are the labels give the labels' loss",
          .concerns = kOfLosses,
          .after = "loss",
          .run = soft_targets},
    Check{.name = "loss-device-equal",
          .promise = "an accelerator gives the CPU's loss and gradient",
          .concerns = kOfLosses,
          .after = "loss",
          .run = device_equal,
          .only_devices = true},
    Check{.name = "loss-capturable",
          .promise = "where it says it is capturable, a step makes no host wait",
          .concerns = kOfLosses,
          .after = "loss",
          .run = capturable,
          .only_devices = true},
};

}  // namespace

std::span<const Check> loss_checks() { return kChecks; }

}  // namespace nearfar
