#include "conformance/loss_subject.h"

#include "conformance/check.h"
#include "device/transfer.h"

#include <ATen/ops/zeros_like.h>
#include <fmt/format.h>

#include <cmath>

namespace nearfar {
namespace {

constexpr std::int64_t kEmbedding = 5, kAuxiliary = 6;

at::Tensor wave(std::int64_t rows, std::int64_t width, double phase) {
  return formula(rows, width, [phase](double i, double j) {
    return 1.5 * std::sin(phase + 0.9 * i * i + 1.7 * j + 0.3 * i * j) + 0.2 * std::cos(i + j);
  });
}

}  // namespace

LossSubject::LossSubject(const Subject& subject, const ParamMap& others, std::int64_t classes)
    : subject_(subject), loss_(subject.loss(others)), classes_(classes) {
  loss_.prepare({.classes = classes_,
                 .output_width = width(),
                 .feature_width = kProblemWidth,
                 .device = subject_.device(),
                 .seed = 3});
  if (traits().wants_class_means) loss_.start(upload(wave(classes_, width(), 0.5), subject_.device()));
  for (const LossTensor& own : loss_.state()) start_.push_back(own.tensor.detach().clone());
}

std::int64_t LossSubject::width() const { return traits().head == HeadKind::linear ? classes_ : kEmbedding; }

LossBatch LossSubject::usual_batch() const { return batch(class_labels(12, classes_)); }

LossBatch LossSubject::batch(const at::Tensor& image_labels, double phase) const {
  return batch_of(wave(image_labels.size(0) * traits().views, width(), phase), image_labels.repeat({traits().views}));
}

LossBatch LossSubject::batch_of(const at::Tensor& rows, const at::Tensor& labels) const {
  return {traits().normalized_embedding ? unit_rows_of(rows) : rows, labels};
}

void LossSubject::restore() {
  const std::vector<LossTensor> state = loss_.state();
  const NoGradScope scope;
  for (std::size_t i = 0; i < state.size(); ++i) at::Tensor(state[i].tensor).copy_(start_.at(i));
}

LossInput LossSubject::input(const LossBatch& batch, const at::Tensor& output) const {
  const at::Device device = subject_.device();
  const auto made = [&](std::int64_t rows, std::int64_t columns, double phase) {
    return upload(wave(rows, columns, phase).toType(batch.output.scalar_type()), device).set_requires_grad(true);
  };
  LossInput input{.output = output, .labels = upload(batch.labels, device)};
  if (traits().wants_features) input.features = made(batch.labels.size(0), kProblemWidth, 1);
  if (traits().wants_auxiliary) {
    input.aux_output = made(kAuxiliary, width(), 2);
    if (traits().wants_features) input.aux_features = made(kAuxiliary, kProblemWidth, 3);
  }
  return input;
}

LossResult LossSubject::step(const LossBatch& batch, std::int64_t most_of_a_label) {
  const at::Tensor leaf = upload(batch.output.clone(), subject_.device()).set_requires_grad(true);
  LossInput given = input(batch, leaf);
  given.most_of_a_label = most_of_a_label;
  const at::Tensor value = loss_.forward(given);
  value.backward();
  const at::Tensor gradient = leaf.grad().defined() ? leaf.grad() : at::zeros_like(leaf);
  return {download(value.detach()).toType(at::kDouble).item<double>(), download(gradient).toType(at::kDouble)};
}

LossResult LossSubject::run(const LossBatch& batch, std::int64_t most_of_a_label) {
  restore();
  return step(batch, most_of_a_label);
}

LossResult LossSubject::expect_finite(const LossBatch& batch, const std::string& where) {
  const LossResult result = run(batch);
  expect(std::isfinite(result.value), "a finite loss of " + where, fmt::format("{}", result.value));
  const at::Tensor finite = result.gradient.isfinite();
  if (finite.all().item<bool>()) return result;
  const auto row = finite.all(1).logical_not().nonzero()[0].item<std::int64_t>();
  fail_check("a finite gradient of " + where, fmt::format("row {} of {} has NaN or infinity", row, finite.size(0)));
}

}  // namespace nearfar
