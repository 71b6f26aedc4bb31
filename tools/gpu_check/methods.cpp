#include "checks.h"
#include "device/device.h"
#include "device/transfer.h"
#include "features/accuracy.h"
#include "features/network_pass.h"
#include "host/call.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/randn.h>

#include <algorithm>
#include <memory>
#include <optional>

namespace nearfar::gpu_check {
namespace {

constexpr std::int64_t kClasses = 4;

/// A set as a method sees it. Methods that look inside have their network on `device`; the others are given the CPU's
/// features, so that what differs is the method's own: two of them make random numbers of a feature's bits.
FeatureBatch batch_of(PostprocessorHandle& handle, Network& network, const Pictures& pictures, bool fitted,
                      at::Device device) {
  NetworkPass pass(network, handle.needs(), pictures.view.std);
  const auto batch = pass.run(upload(test_batch(pictures.view, 0, pictures.view.count), network.device()));
  FeatureBatch result{upload(batch->features(), device),
                      upload(normalized_rows(batch->features()), device),
                      upload(batch->logits(), device),
                      upload(label_tensor(pictures.view), device),
                      {}};
  if (observes(handle.needs())) result.observed = handle.observe(*batch, fitted);
  return result;
}

struct Scenes {
  Pictures train{192, 1, 28, kClasses, 1}, val{96, 1, 28, kClasses, 2}, test{64, 1, 28, kClasses, 3};
};

struct Run {
  at::Tensor scores;
  bool waits = false;  ///< score() waited for the device
};

Run scores_of(const LoadedPlugin& plugin, Network& network, const Scenes& scenes, at::Device device) {
  ParamMap params;
  if (plugin.description().name == "vim") params.emplace("dim", std::int64_t{32});  // its 256 are for wide features
  PostprocessorHandle handle(plugin, params, "gpu-check");
  FitContext context;
  context.train = batch_of(handle, network, scenes.train, false, device);
  context.val = batch_of(handle, network, scenes.val, false, device);
  const HeadWeights head = network.head();
  context.head = {upload(head.weight, device), upload(head.bias, device)};
  context.classes = network.output_dim();
  handle.fit(context);
  FeatureBatch test = batch_of(handle, network, scenes.test, handle.observes_fitted(), device);
  test.labels = at::Tensor();
  Run run{handle.score(test)};
  try {
    const ForbidWaits none;
    static_cast<void>(handle.score(test));
  } catch (const Error&) {
    run.waits = true;
  }
  return run;
}

void check_postprocessor(const LoadedPlugin& plugin, const Scenes& scenes, const Options& options) {
  check("postprocessor " + plugin.description().name, [&](nlohmann::json& line) {
    const NetworkSpec spec{.classes = kClasses};
    const auto host = make_network(spec, 5), there = make_network(spec, 5, options.device);
    const Run cpu = scores_of(plugin, *host, scenes, at::kCPU);
    const Run gpu = scores_of(plugin, observes(plugin.needs()) ? *there : *host, scenes, options.device);
    const double apart = difference(cpu.scores, gpu.scores);
    line["scores"] = apart;
    line["score() waits"] = gpu.waits;
    return !gpu.waits && apart <= (options.rehearsal ? 0 : 1e-4);
  });
}

void check_loss(const LoadedPlugin& plugin, const Options& options) {
  check("loss " + plugin.description().name, [&](nlohmann::json& line) {
    LossHandle handle(plugin, {}, "gpu-check");
    const LossTraits traits = handle.traits();
    const bool linear = traits.head == HeadKind::linear;
    const std::int64_t width = linear ? kClasses : 16, rows = 24 * traits.views;
    at::Tensor output = at::randn({rows, width}, at::make_generator<at::CPUGeneratorImpl>(3));
    if (traits.normalized_embedding) output = normalized_rows(output);
    std::vector<std::int64_t> labels;
    for (std::int64_t i = 0; i < rows; ++i) labels.push_back(i % 24 % kClasses);
    const at::Tensor classes = at::from_blob(labels.data(), {rows}, at::kLong).clone();
    const auto run = [&](at::Device where) {
      handle.prepare({.classes = kClasses, .output_width = width, .feature_width = width, .device = where});
      const at::Tensor in = upload(output, where).clone().set_requires_grad(true), there = upload(classes, where);
      const std::optional<ForbidWaits> none =
          traits.capturable && !where.is_cpu() ? std::optional<ForbidWaits>(std::in_place) : std::nullopt;
      const at::Tensor loss =
          handle.forward({.output = in, .labels = there, .features = traits.wants_features ? in : at::Tensor()});
      loss.backward();
      return std::pair(loss.detach(), in.grad());
    };
    const auto [value, gradient] = run(at::kCPU);
    const auto [value_there, gradient_there] = run(options.device);
    line["value"] = difference(value, value_there);
    line["gradient"] = difference(gradient, gradient_there);
    if (options.rehearsal) return value.equal(value_there.cpu()) && gradient.equal(gradient_there.cpu());
    return difference(value, value_there) < 1e-5 && difference(gradient, gradient_there) < 1e-4;
  });
}

}  // namespace

void check_methods(const Options& options) {
  const Scenes scenes;
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(options.plugins)) files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  for (const auto& file : files) {
    if (file.extension() != ".so") continue;
    const LoadedPlugin plugin = load_plugin(file);
    if (plugin.kind() == PluginKind::loss) {
      check_loss(plugin, options);
    } else {
      check_postprocessor(plugin, scenes, options);
    }
  }
}

}  // namespace nearfar::gpu_check
