#include "step_bench.h"

#include "device/device.h"
#include "train/random.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/ops/randint.h>

#include <chrono>

namespace nearfar::gpu_check {

double seconds_now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

Pictures::Pictures(std::int64_t count, std::int64_t channels, std::int64_t side, std::int64_t classes,
                   std::uint64_t seed) {
  const at::Tensor bytes =
      at::randint(0, 256, {count * channels * side * side}, at::make_generator<at::CPUGeneratorImpl>(seed), at::kByte);
  pixels.assign(bytes.const_data_ptr<std::uint8_t>(), bytes.const_data_ptr<std::uint8_t>() + bytes.numel());
  for (std::int64_t i = 0; i < count; ++i) labels.push_back(i % classes);
  const std::vector<double> half(static_cast<std::size_t>(channels), 0.5);
  view = {pixels, labels, count, channels, side, side, half, half};
}

StepBench::StepBench(const std::filesystem::path& plugins, at::Device device, std::int64_t batch,
                     const std::string& dtype, bool graph, std::int64_t steps)
    : plugin_(load_plugin(plugins / "ce.so")),
      loss_(plugin_, {}, "step-bench"),
      traits_(loss_.traits()),
      pictures_(batch * steps, 3, 32, 10, 4),
      network_(make_network({"resnet18_32x32", 3, 32, 32, 10}, 1, device)),
      device_(device),
      steps_(steps) {
  traits_.capturable = graph;
  recipe_.batch_size = batch;
  recipe_.dtype = dtype;
  recipe_.shift = 4;
  recipe_.flip = true;
  std::vector<NamedTensor> parameters = network_->named_tensors();
  std::erase_if(parameters, [](const NamedTensor& named) { return !named.parameter; });
  optimizer_.emplace(parameters, OptimizerOptions{.weight_decay = 5e-4});
  batches_ = resident_batches(pictures_.view, augmentation(recipe_, traits_), 5, device_);
  step_.emplace(StepParts{.network = *network_,
                          .loss = loss_,
                          .traits = traits_,
                          .recipe = recipe_,
                          .batches = *batches_,
                          .optimizer = *optimizer_,
                          .images = images(),
                          .labels = pictures_.labels});
}

void StepBench::begin(std::int64_t epoch) { step_->begin_epoch(epoch, permutation(1, epoch, images()), 0); }

void StepBench::steps(std::int64_t epoch) {
  for (std::int64_t i = 0; i < steps_; ++i) step_->run(epoch * steps_ + i, 0.05);
}

void StepBench::epoch(std::int64_t number) {
  begin(number);
  steps(number);
}

double StepBench::images_per_second(std::int64_t epochs) {
  epoch(0);
  wait_for(device_);
  const double start = seconds_now();
  for (std::int64_t i = 0; i < epochs; ++i) epoch(1 + i);
  wait_for(device_);
  return static_cast<double>(images() * epochs) / (seconds_now() - start);
}

}  // namespace nearfar::gpu_check
