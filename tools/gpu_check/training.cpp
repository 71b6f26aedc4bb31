#include "base/files.h"
#include "checks.h"
#include "device/device.h"
#include "host/call.h"
#include "models/checkpoint.h"
#include "train/random.h"
#include "train/step.h"
#include "train/trainer.h"

#include <ATen/Context.h>
#include <fmt/format.h>

#include <cmath>
#include <optional>

namespace nearfar::gpu_check {
namespace {

struct Trained {
  TrainingResult result;
  std::string bytes;  ///< of last.safetensors
  double seconds = 0;
};

struct Way {
  at::Device device;
  bool graph = true;
  std::string dtype = "float32";
};

/// Two epochs and a rest on random images.
Trained run(const LoadedPlugin& plugin, const Options& options, const Way& way) {
  static int number = 0;
  LossHandle loss(plugin, {}, "gpu-check");
  const Pictures pictures(options.rehearsal ? 120 : 500, 1, 28, 6, 9);
  TrainingTask task;
  task.identity = "gpu-check";
  task.device = way.device;
  task.traits = loss.traits();
  task.traits.capturable = task.traits.capturable && way.graph;
  task.recipe.epochs = 2;
  task.recipe.shift = 2;
  task.recipe.flip = true;
  task.recipe.learning_rate = 0.01;
  task.recipe.dtype = way.dtype;
  task.seed = 3;
  task.train = pictures.view;
  task.network = network_spec("resnet8", task.recipe, task.traits, task.train, 6);
  task.folder = options.scratch / std::to_string(number++);
  std::filesystem::create_directories(task.folder);
  const double start = seconds_now();
  Trained trained{train(task, loss), {}, 0};
  trained.seconds = seconds_now() - start;
  trained.bytes = read_file(trained.result.last);
  std::filesystem::remove_all(task.folder);
  return trained;
}

double worst_epoch(const Trained& a, const Trained& b) {
  double worst = 0;
  for (std::size_t i = 0; i < a.result.history.size(); ++i) {
    const double x = a.result.history[i].loss, y = b.result.history[i].loss;
    worst = std::max(worst, std::abs(x - y) / std::max(std::abs(x), 1e-12));
  }
  return worst;
}

void check_loss(const std::string& name, const Options& options) {
  const LoadedPlugin plugin = load_plugin(options.plugins / (name + ".so"));
  const Way device{options.device};
  check("training with " + name + " follows the CPU", [&](nlohmann::json& line) {
    const Trained cpu = run(plugin, options, {at::kCPU}), gpu = run(plugin, options, device);
    line["loss of an epoch"] = worst_epoch(cpu, gpu);
    line["seconds on the CPU"] = cpu.seconds;
    line["seconds there"] = gpu.seconds;
    return options.rehearsal ? cpu.bytes == gpu.bytes : worst_epoch(cpu, gpu) < 2e-2;
  });
  check("training with " + name + " twice gives the same bytes",
        [&](nlohmann::json&) { return run(plugin, options, device).bytes == run(plugin, options, device).bytes; });
  check("training with " + name + " as a graph and step by step gives the same bytes", [&](nlohmann::json&) {
    return run(plugin, options, device).bytes == run(plugin, options, {options.device, false}).bytes;
  });
  if (options.rehearsal) return;  // a CPU has no such arithmetic: minutes
  check("training with " + name + " in bfloat16", [&](nlohmann::json& line) {
    const Trained full = run(plugin, options, device), half = run(plugin, options, {options.device, true, "bfloat16"});
    line["loss of an epoch"] = worst_epoch(full, half);
    const bool same = half.bytes == run(plugin, options, {options.device, false, "bfloat16"}).bytes;
    line["the same as a graph and step by step"] = same;
    return same && worst_epoch(full, half) < 0.1;
  });
}

/// The product's own step, on images of CIFAR's size.
class Bench {
 public:
  Bench(const Options& options, std::int64_t batch, const std::string& dtype, bool graph, std::int64_t steps)
      : plugin_(load_plugin(options.plugins / "ce.so")),
        loss_(plugin_, {}, "gpu-check"),
        traits_(loss_.traits()),
        pictures_(batch * steps, 3, 32, 10, 4),
        network_(make_network({"resnet18_32x32", 3, 32, 32, 10}, 1, options.device)),
        device_(options.device),
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
                            .images = pictures_.view.count});
  }

  void begin(std::int64_t number) { step_->begin_epoch(number, permutation(1, number, pictures_.view.count), 0); }
  void steps(std::int64_t number) {
    for (std::int64_t i = 0; i < steps_; ++i) step_->run(number * steps_ + i, 0.05);
  }

  void epoch(std::int64_t number) {
    begin(number);
    steps(number);
  }

  /// After a warm-up.
  double images_per_second(std::int64_t epochs) {
    epoch(0);
    wait_for(device_);
    const double start = seconds_now();
    for (std::int64_t i = 0; i < epochs; ++i) epoch(1 + i);
    wait_for(device_);
    return static_cast<double>(pictures_.view.count * epochs) / (seconds_now() - start);
  }

 private:
  LoadedPlugin plugin_;
  LossHandle loss_;
  LossTraits traits_;
  TrainRecipe recipe_;
  Pictures pictures_;
  std::unique_ptr<Network> network_;
  at::Device device_;
  std::int64_t steps_;
  std::unique_ptr<Batches> batches_;
  std::optional<Optimizer> optimizer_;
  std::optional<TrainingStep> step_;
};

}  // namespace

void check_training(const Options& options) {
  for (const char* name : {"ce", "supcon", "reweightood", "logitnorm", "t2fnorm-loss", "cider-loss", "palm-loss"})
    check_loss(name, options);
  check("a training step does not wait for the device", [&](nlohmann::json&) {
    for (const bool graph : {false, true}) {
      Bench bench(options, 32, "float32", graph, 8);
      bench.epoch(0);
      bench.begin(1);
      const ForbidWaits none;
      bench.steps(1);
    }
    return true;
  });
}

void measure_throughput(const Options& options) {
  struct Setting {
    const char* name;
    bool deterministic, search;  ///< cuDNN tries its kernels first and takes the fastest
  };
  for (const Setting& setting : {Setting{"", true, false}, Setting{", kernels searched", true, true},
                                 Setting{", kernels searched, not deterministic", false, true}}) {
    make_deterministic(setting.deterministic);
    at::globalContext().setBenchmarkCuDNN(setting.search);
    for (const std::int64_t batch : {128, 512, 1024}) {
      for (const char* dtype : {"float32", "bfloat16"}) {
        for (const bool graph : {false, true}) {
          if (setting.search && !graph) continue;
          const std::string way = graph ? " graph" : "";
          check(fmt::format("throughput batch {} {}{}{}", batch, dtype, way, setting.name), [&](nlohmann::json& line) {
            Bench bench(options, batch, dtype, graph, std::max<std::int64_t>(6, 5120 / batch));
            line["images per second"] = bench.images_per_second(2);
            return true;
          });
        }
      }
    }
  }
  make_deterministic(true);
  at::globalContext().setBenchmarkCuDNN(false);
}

}  // namespace nearfar::gpu_check
