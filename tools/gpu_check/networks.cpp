#include "checks.h"
#include "device/transfer.h"
#include "models/network.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/cross_entropy_loss.h>

namespace nearfar::gpu_check {
namespace {

struct Outcome {
  at::Tensor logits, gradient;  ///< of all parameters, in a row
};

at::Tensor gradients_of(Network& network) {
  std::vector<at::Tensor> all;
  for (const NamedTensor& named : network.named_tensors()) {
    if (named.parameter) all.push_back(named.tensor.grad().detach().cpu().to(at::kDouble).flatten());
  }
  return at::cat(all);
}

Outcome run(Network& network, const at::Tensor& images, const at::Tensor& labels) {
  for (const NamedTensor& named : network.named_tensors()) {
    if (named.parameter) named.tensor.set_requires_grad(true);
  }
  const at::Tensor logits = network.output(network.features(images));
  at::cross_entropy_loss(logits, labels).backward();
  return {logits.detach(), gradients_of(network)};
}

}  // namespace

/// In evaluation mode. A gradient of ReLU networks turns on the sign of sums near zero, which no two processors round
/// alike: what is asked of the device is that it is no further from float64 than a few times the CPU's own float32.
void check_networks(const Options& options) {
  for (const std::string& architecture : architectures()) {
    if (options.rehearsal && architecture != "resnet8" && architecture != "resnet18_32x32") continue;
    check("network " + architecture, [&](nlohmann::json& line) {
      const std::int64_t side = native_image_size(architecture);
      const NetworkSpec spec{
          .architecture = architecture, .in_channels = 3, .height = side, .width = side, .classes = 5};
      const Pictures pictures(4, 3, side, 5, 1);
      const at::Tensor images = test_batch(pictures.view, 0, 4), labels = label_tensor(pictures.view);
      const auto host = make_network(spec, 5), there = make_network(spec, 5, options.device);
      host->train(false);
      there->train(false);
      const auto exact = host->in_float64();
      const Outcome oracle = run(*exact, images.to(at::kDouble), labels), cpu = run(*host, images, labels),
                    gpu = run(*there, upload(images, options.device), upload(labels, options.device));
      const double cpu_logits = distance(oracle.logits, cpu.logits), gpu_logits = distance(oracle.logits, gpu.logits);
      const double cpu_gradient = distance(oracle.gradient, cpu.gradient),
                   gpu_gradient = distance(oracle.gradient, gpu.gradient);
      line["logits"] = gpu_logits;
      line["logits of the CPU"] = cpu_logits;
      line["gradient"] = gpu_gradient;
      line["gradient of the CPU"] = cpu_gradient;
      if (options.rehearsal) return gpu_logits == cpu_logits && gpu_gradient == cpu_gradient;
      return gpu_logits < 1e-5 + 5 * cpu_logits && gpu_gradient < 1e-4 + 5 * cpu_gradient;
    });
  }
}

}  // namespace nearfar::gpu_check
