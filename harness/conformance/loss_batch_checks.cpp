// A loss on unusual batches: finite for finite input.
#include "conformance/check.h"
#include "conformance/loss_subject.h"

#include <ATen/ops/full.h>
#include <fmt/format.h>

#include <array>
#include <cmath>

namespace nearfar {
namespace {

using I = std::int64_t;

at::Tensor all_of(I count, I label) { return at::full({count}, label, at::TensorOptions(at::kLong)); }

void one_class(const Subject& subject) {
  LossSubject made(subject);
  made.expect_finite(made.batch(all_of(6, 3)), "six images of one class");
  LossSubject of_one(subject, ParamMap(), /*classes=*/1);
  of_one.expect_finite(of_one.batch(all_of(4, 0)), "a problem of one class");
}

void single_images(const Subject& subject) {
  LossSubject made(subject);
  made.expect_finite(made.batch(class_labels(4, 4)), "one image of each class");
}

void single_row(const Subject& subject) {
  LossSubject made(subject);
  made.expect_finite(made.batch(all_of(1, 2)), "one image");
}

void equal_rows(const Subject& subject) {
  LossSubject made(subject);
  for (const I images : {2, 7}) {
    const LossBatch one = made.batch(all_of(1, 2));
    const I rows = images * made.traits().views;
    made.expect_finite({one.output.narrow(0, 0, 1).repeat({rows, 1}), all_of(rows, 2)},
                       fmt::format("{} equal rows", rows));
  }
}

void scales(const Subject& subject) {
  LossSubject made(subject);
  const LossBatch batch = made.usual_batch();
  for (const double scale : {1e4, 1e-4, 0.0}) {
    if (made.traits().normalized_embedding && scale == 0) continue;  // there is no such unit row
    const LossBatch scaled{batch.output.mul(scale), batch.labels};
    made.expect_finite(scaled, fmt::format("rows times {:g}", scale));
  }
}

void labels_out_of_range(const Subject& subject) {
  LossSubject made(subject);
  for (const I label : {kProblemClasses, I{-1}, I{1} << 40}) {
    LossBatch batch = made.usual_batch();
    batch.labels[0].fill_(label);
    try {
      const LossResult result = made.run(batch);
      expect(std::isfinite(result.value), fmt::format("label {} refused, or a finite loss", label),
             fmt::format("{}", result.value));
    } catch (const Error& error) {
      // Refused. What it is told by is enough where it is more than the name of the call.
      expect(std::string(error.what()).size() > subject.plugin().label().size() + 20,
             fmt::format("label {} refused in words", label), error.what());
    }
  }
}

void most_of_a_label(const Subject& subject) {
  LossSubject made(subject);
  const LossBatch batch = made.usual_batch();
  const LossResult unknown = made.run(batch), known = made.run(batch, 3 * made.traits().views);
  const double values = std::abs(known.value - unknown.value) / std::max(1.0, std::abs(unknown.value));
  const double difference = std::max(values, relative_difference(known.gradient, unknown.gradient, 1e-3));
  expect(difference <= subject.tolerance(), "LossInput::most_of_a_label changes nothing but the time it takes",
         fmt::format("a difference of {:.3g}", difference));
}

constexpr std::array kChecks{
    Check{.name = "loss-one-class",
          .promise = "batches of one class, and a problem of one, give a finite loss and gradient",
          .concerns = kOfLosses,
          .after = "loss",
          .run = one_class},
    Check{.name = "loss-single-images",
          .promise = "one image of each class gives a finite loss and gradient",
          .concerns = kOfLosses,
          .after = "loss",
          .run = single_images},
    Check{.name = "loss-single-row",
          .promise = "a batch of one image gives a finite loss and gradient",
          .concerns = kOfLosses,
          .after = "loss",
          .run = single_row},
    Check{.name = "loss-equal-rows",
          .promise = "rows that are all the same give a finite loss and gradient",
          .concerns = kOfLosses,
          .after = "loss",
          .run = equal_rows},
    Check{.name = "loss-scales",
          .promise = "rows times 1e4, 1e-4 and 0 give a finite loss and gradient",
          .concerns = kOfLosses,
          .after = "loss",
          .run = scales},
    Check{.name = "loss-labels",
          .promise = "labels that are no class are refused in words, or give a finite loss, without a crash",
          .concerns = kOfLosses,
          .after = "loss",
          .run = labels_out_of_range,
          .on_devices = false},
    Check{.name = "loss-most-of-a-label",
          .promise = "LossInput::most_of_a_label changes no value",
          .concerns = kOfLosses,
          .after = "loss",
          .run = most_of_a_label},
};

}  // namespace

std::span<const Check> loss_batch_checks() { return kChecks; }

}  // namespace nearfar
