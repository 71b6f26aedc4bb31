#include "base/files.h"
#include "checks.h"
#include "device/device.h"
#include "host/call.h"
#include "models/checkpoint.h"
#include "train/random.h"
#include "train/step.h"
#include "train/trainer.h"

#include <ATen/Context.h>
#include <ATen/ops/randint.h>
#include <ATen/ops/randn.h>
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

}  // namespace

void check_training(const Options& options) {
  for (const char* name : {"ce", "supcon", "reweightood", "logitnorm", "t2fnorm-loss", "cider-loss", "palm-loss"})
    check_loss(name, options);
  check("a training step does not wait for the device", [&](nlohmann::json&) {
    for (const bool graph : {false, true}) {
      StepBench bench(options.plugins, options.device, 32, "float32", graph, 8);
      bench.epoch(0);
      bench.begin(1);
      const ForbidWaits none;
      bench.steps(1);
    }
    return true;
  });
}

namespace {

/// Value and gradient of a loss of pairs: 100 classes, two views, unit rows.
void measure_pairs(const std::string& name, std::int64_t rows, const Options& options) {
  check(fmt::format("{} of {} rows of 128, value and gradient", name, rows), [&](nlohmann::json& line) {
    const LoadedPlugin plugin = load_plugin(options.plugins / (name + ".so"));
    LossHandle loss(plugin, {}, "gpu-check");
    loss.prepare({.classes = 100, .output_width = 128, .feature_width = 512, .device = options.device});
    const at::Tensor raw = at::randn({rows, 128}, at::TensorOptions(at::kFloat).device(options.device));
    at::Tensor z = raw.div(raw.norm(2, {1}, true)).set_requires_grad(true);
    const at::Tensor labels = at::randint(0, 100, {rows}, at::TensorOptions(at::kLong).device(options.device));
    const auto steps = [&](int count) {
      for (int i = 0; i < count; ++i) {
        z.mutable_grad().reset();
        loss.forward({.output = z, .labels = labels}).backward();
      }
      wait_for(options.device);
    };
    steps(3);
    constexpr int kSteps = 20;
    const double start = seconds_now();
    steps(kSteps);
    line["milliseconds"] = (seconds_now() - start) / kSteps * 1e3;
    return true;
  });
}

}  // namespace

void measure_throughput(const Options& options) {
  for (const char* name : {"supcon", "reweightood"}) {
    for (const std::int64_t rows : {1024, 2048, 4096, 32768}) measure_pairs(name, rows, options);
  }
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
            StepBench bench(options.plugins, options.device, batch, dtype, graph,
                            std::max<std::int64_t>(6, 5120 / batch));
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
