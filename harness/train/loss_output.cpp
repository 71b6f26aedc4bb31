#include "train/loss_output.h"

#include "device/transfer.h"
#include "features/accuracy.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/zeros.h>

namespace nearfar {

at::Tensor loss_output(Network& network, const at::Tensor& features, const LossTraits& traits) {
  const double temperature = traits.feature_temperature;
  const at::Tensor output =
      network.output(temperature > 0 ? normalized_rows(features.to(at::kFloat)).div(temperature) : features)
          .to(at::kFloat);
  return traits.normalized_embedding ? normalized_rows(output) : output;
}

at::Tensor class_means(Network& network, const LossTraits& traits, const FeatureBatch& images) {
  const EvalScope scope(network);
  const at::Tensor output = download(loss_output(network, images.features, traits)).to(at::kDouble);
  const at::Tensor labels = download(images.labels);
  const std::int64_t classes = network.spec().classes;
  const at::Tensor sums = at::zeros({classes, output.size(1)}, output.options()).index_add_(0, labels, output);
  const at::Tensor counts = labels.bincount({}, classes).clamp_min(1).unsqueeze(1);
  return upload(sums.div(counts).to(at::kFloat), network.device());
}

}  // namespace nearfar
