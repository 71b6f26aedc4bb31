#include "conformance/subject.h"

#include "base/locations.h"
#include "conformance/check.h"
#include "conformance/formula_network.h"
#include "device/device.h"
#include "device/transfer.h"

#include <ATen/Parallel.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>

namespace nearfar {
namespace {

FeatureBatch on_device(const FeatureBatch& batch, at::Device device) {
  return map_tensors(batch, [&](const at::Tensor& tensor) { return upload(tensor, device); });
}

HeadWeights on_device(const HeadWeights& head, at::Device device) {
  return {upload(head.weight, device), upload(head.bias, device)};
}

}  // namespace

const LoadedPlugin& Subject::plugin() const {
  if (!plugin_) plugin_ = load_plugin(file_);
  return *plugin_;
}

ParamMap Subject::params() const { return params_from_text(plugin().params(), assignments_, plugin().label()); }

at::Device Subject::device() const {
  if (device_name_ == "cpu") return at::kCPU;
  // The name by which people open whatever accelerator the module brings.
  return open_device("cuda");
}

PostprocessorHandle Subject::postprocessor() const { return postprocessor({}); }
PostprocessorHandle Subject::postprocessor(const ParamMap& others) const {
  ParamMap values = params();
  for (const auto& [name, value] : others) values[name] = value;
  return {plugin(), values, "the check"};
}
LossHandle Subject::loss() const { return loss({}); }
LossHandle Subject::loss(const ParamMap& others) const {
  ParamMap values = params();
  for (const auto& [name, value] : others) values[name] = value;
  return {plugin(), values, "the check"};
}

FeatureBatch Subject::batch(const PostprocessorHandle& scorer, const Problem& problem, const Images& images) const {
  if (!looks_inside()) return on_device(with_logits(images.features, problem.head), device());
  FormulaNetwork network(upload(images.pixels, device()), on_device(problem.head, device()));
  FeatureBatch rows{network.features(), unit_rows_of(network.features()), network.logits(), {}};
  rows.observed = scorer.observe(network, scorer.observes_fitted());
  return rows;
}

FitContext Subject::context(const PostprocessorHandle& scorer, const Problem& problem) const {
  FitContext context;
  context.head = on_device(problem.head, device());
  context.classes = problem.classes;
  if (looks_inside()) {
    FormulaNetwork network(upload(problem.train.pixels, device()), context.head);
    context.train = {network.features(), unit_rows_of(network.features()), network.logits(), {}};
    context.train.observed = scorer.observe(network, /*fitted=*/false);
  } else {
    context.train = on_device(with_logits(problem.train.features, problem.head), device());
  }
  context.train.labels = upload(class_labels(rows(context.train), problem.classes), device());
  context.val = context.train;
  return context;
}

PostprocessorHandle Subject::fitted(const Problem& problem) const {
  PostprocessorHandle scorer = postprocessor();
  scorer.fit(context(scorer, problem));
  return scorer;
}

at::Tensor Subject::score(const PostprocessorHandle& scorer, const FeatureBatch& batch) const {
  const at::Tensor scores = download(scorer.score(batch));
  scorer.require_finite(scores);  // the handle does not look at a device's
  return scores.toType(at::kDouble);
}

double relative_difference(const at::Tensor& found, const at::Tensor& wanted, double scale) {
  if (wanted.numel() == 0) return 0;
  const at::Tensor a = found.toType(at::kDouble), b = wanted.toType(at::kDouble);
  const double largest = std::max({b.abs().max().item<double>(), scale, 1e-12});
  const double difference = a.sub(b).abs().max().item<double>() / largest;
  return std::isfinite(difference) ? difference : std::numeric_limits<double>::infinity();
}

void expect_equal_scores(const Subject& subject, const at::Tensor& found, const at::Tensor& wanted,
                         const std::string& what, double scale) {
  expect(found.numel() == wanted.numel(), fmt::format("{}: {} numbers", what, wanted.numel()),
         fmt::format("{}", found.numel()));
  const double difference = relative_difference(found, wanted, scale);
  if (difference <= subject.tolerance()) return;
  const auto row = found.sub(wanted).abs().argmax().item<std::int64_t>();
  fail_check(fmt::format("{}, within {:g} of the largest", what, subject.tolerance()),
             fmt::format("a difference of {:.3g} at row {}: {:.9g} and {:.9g}", difference, row,
                         found[row].item<double>(), wanted[row].item<double>()));
}

}  // namespace nearfar
