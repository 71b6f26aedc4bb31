#include "base/error.h"
#include "base/npy.h"
#include "device/transfer.h"
#include "engine/job.h"
#include "engine/messages.h"
#include "engine/verbs.h"
#include "features/folder.h"
#include "host/call.h"
#include "wire/facts.h"

#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>
#include <fmt/format.h>

#include <algorithm>

namespace nearfar {
namespace {

at::Tensor read_labels(const wire::LossJob& job, std::int64_t rows) {
  const NpyArray file(job.labels);
  const std::vector<std::int64_t> values = converted<std::int64_t>(file);
  if (!file.is_column() || file.size() != rows) {
    throw Error(ErrorKind::data, fmt::format("{}: holds {} numbers, {} has {} rows; expected a label for each",
                                             job.labels, file.size(), job.output, rows));
  }
  const auto outside =
      std::ranges::find_if(values, [&](std::int64_t label) { return label < 0 || label >= job.classes; });
  if (outside != values.end()) {
    throw Error(ErrorKind::data,
                fmt::format("{}: label {} in row {}; expected 0 to {}, the job says {} classes", job.labels, *outside,
                            outside - values.begin(), job.classes - 1, job.classes));
  }
  const at::Tensor labels = at::empty({rows}, at::kLong);
  std::ranges::copy(values, labels.mutable_data_ptr<std::int64_t>());
  return labels;
}

/// A leaf of the graph with memory of its own: the file's is read-only.
at::Tensor read_leaf(const std::string& file, at::Device device) {
  return upload(map_floats(file, 2).clone(), device).set_requires_grad(true);
}

/// The means of what the loss is given, class by class; zeros for a class that the batch has not.
at::Tensor batch_means(const at::Tensor& output, const at::Tensor& labels, std::int64_t classes) {
  const NoGradScope no_grad;
  const at::Tensor values = output.to(at::kDouble);
  const at::Tensor sums = at::zeros({classes, values.size(1)}, values.options()).index_add_(0, labels, values);
  return sums.div(labels.bincount({}, classes).clamp_min(1).unsqueeze(1)).to(at::kFloat);
}

/// Zeros where the loss does not depend on the leaf.
void write_gradient(const std::string& file, const at::Tensor& leaf) {
  if (file.empty()) return;
  if (!leaf.defined()) throw Error(ErrorKind::config, file + ": the job asks for a gradient of what it does not give");
  const at::Tensor gradient = leaf.grad().defined() ? leaf.grad() : at::zeros_like(leaf);
  const at::Tensor values = download(gradient).to(at::kFloat).contiguous();
  write_npy(file, values.sizes(), std::span(values.const_data_ptr<float>(), static_cast<std::size_t>(values.numel())));
}

}  // namespace

void loss(const wire::LossJob& job) {
  const at::Device device = prepare_torch(job.compute);
  const PluginRegistry registry(plugin_search(job.directories, job.installed));
  const LoadedPlugin& plugin = registry.find(PluginKind::loss, job.name);
  LossHandle loss(plugin, params_from_text(plugin.params(), job.assignments, plugin.label()), plugin.label());
  const at::Tensor output = read_leaf(job.output, device);
  const at::Tensor features = job.features.empty() ? at::Tensor() : read_leaf(job.features, device);
  const at::Tensor labels = upload(read_labels(job, output.size(0)), device);
  loss.prepare({.classes = job.classes,
                .output_width = output.size(1),
                .feature_width = features.defined() ? features.size(1) : 0,
                .device = device,
                .seed = static_cast<std::uint64_t>(job.seed)});
  if (loss.traits().wants_class_means) loss.start(batch_means(output, labels, job.classes));
  const at::Tensor value = loss.forward({.output = output, .labels = labels, .features = features});
  guard(loss.label(), "backward", [&] { value.backward(); });
  write_gradient(job.output_gradient, output);
  write_gradient(job.features_gradient, features);
  send_result(wire::LossFacts{.value = download(value.detach()).item<double>(),
                              .params = canonical_params(loss.params().values())});
}

}  // namespace nearfar
