// Whole trainings with every loss as a loaded plugin: stopped and killed ones end with the bytes of one that was left
// alone, on the CPU and on the fake device, which gives the CPU's bytes and is hardly ever waited for.
#include "base/files.h"
#include "device/device.h"
#include "fake_device/fake_device.h"
#include "host/call.h"
#include "support/golden.h"
#include "train/blobs.h"
#include "train/step.h"
#include "train/trainer.h"

#include <ATen/core/Tensor.h>
#include <gtest/gtest.h>

#include <numeric>

namespace nearfar::testing {
namespace {

class LossTraining : public ::testing::TestWithParam<const char*> {
 protected:
  LossTraining() : plugin_(load_plugin(binary_dir() / "lib/nearfar/plugins" / (std::string(GetParam()) + ".so"))) {}

  LossHandle made() const { return {plugin_, {}, "test"}; }

  TrainingTask task(const std::string& name, at::Device device) const {
    TrainingTask task;
    task.identity = "test";
    task.device = device;
    task.traits = made().traits();
    task.recipe.epochs = 3;
    task.recipe.batch_size = 16;
    task.recipe.learning_rate = 0.05;
    task.recipe.shift = 1;
    task.recipe.embedding_dim = 4;
    task.train = train_.view;
    task.val = val_.view;
    task.seed = 5;
    task.network = network_spec("resnet8", task.recipe, task.traits, task.train, 3);
    task.folder = folder_.path() / name;
    return task;
  }

  /// Of last.safetensors and best.safetensors.
  std::string bytes(const TrainingTask& task) const {
    LossHandle loss = made();
    const TrainingResult result = train(task, loss);
    EXPECT_TRUE(result.finished);
    return read_file(result.last) + read_file(result.best);
  }

  /// Stops before step 11, in the second of three epochs, and after that is killed in step 12 without a checkpoint.
  void stop(TrainingTask task) const {
    struct Killed {};
    int asked = 0;
    task.callbacks.should_stop = [&] { return ++asked == 11; };
    LossHandle first = made();
    EXPECT_FALSE(train(task, first).finished);
    task.callbacks.should_stop = {};
    task.callbacks.progress = [](const TrainProgress& progress) {
      if (progress.step == 12) throw Killed{};
    };
    LossHandle second = made();
    EXPECT_THROW(train(task, second), Killed);
  }

  LoadedPlugin plugin_;
  at::Device device_ = open_device("cuda");
  TempDir folder_;
  Blobs train_{105, 1}, val_{60, 2};  // 105 = 6 batches of 16 and one of 9
};

TEST_P(LossTraining, LearnsAndGoesOnWithTheSameBytes) {
  LossHandle loss = made();
  const TrainingResult whole = train(task("whole", at::kCPU), loss);
  EXPECT_LT(whole.history.back().loss, whole.history.front().loss);
  EXPECT_GE(whole.val_accuracy.value(), 0.9);
  stop(task("stopped", at::kCPU));
  EXPECT_TRUE(bytes(task("stopped", at::kCPU)) == read_file(whole.last) + read_file(whole.best));
}

TEST_P(LossTraining, GivesTheCpusBytesOnADeviceAndGoesOnThere) {
  const std::string wanted = bytes(task("cpu", at::kCPU));
  EXPECT_TRUE(bytes(task("device", device_)) == wanted);
  stop(task("stopped", device_));
  EXPECT_TRUE(bytes(task("stopped", device_)) == wanted);
}

TEST_P(LossTraining, IsRecordedWhereItSaysSo) {
  fake::reset_counts();
  bytes(task("device", device_));
  // 18 whole batches: three step by step, then a capture, and one replay for each that is left.
  EXPECT_EQ(fake::counts().kernels_of["graph replay"], made().traits().capturable ? 15 : 0);
}

TEST_P(LossTraining, NoStepWaits) {
  const TrainingTask parts = task("steps", device_);
  LossHandle loss = made();
  const std::unique_ptr<Network> network = make_network(parts.network, 1, device_);
  loss.prepare({.classes = 3,
                .output_width = network->output_dim(),
                .feature_width = network->feature_dim(),
                .device = device_,
                .seed = 1});
  std::vector<NamedTensor> parameters = network->named_tensors();
  std::erase_if(parameters, [](const NamedTensor& named) { return !named.parameter; });
  Optimizer optimizer(parameters, OptimizerOptions{.weight_decay = 1e-3});
  const auto batches = resident_batches(train_.view, augmentation(parts.recipe, parts.traits), 7, device_);
  TrainingStep step({.network = *network,
                     .loss = loss,
                     .traits = parts.traits,
                     .recipe = parts.recipe,
                     .batches = *batches,
                     .optimizer = optimizer,
                     .images = 105});
  std::vector<std::int64_t> order(105);
  std::iota(order.begin(), order.end(), 0);
  step.begin_epoch(0, order, 0);
  const fake::ForbidSyncs none;
  for (std::int64_t i = 0; i < 7; ++i) step.run(i, 0.05);
}

INSTANTIATE_TEST_SUITE_P(All, LossTraining,
                         ::testing::Values("ce", "supcon", "reweightood", "logitnorm", "t2fnorm-loss", "cider-loss",
                                           "palm-loss"),
                         [](const auto& tested) {
                           std::string name = tested.param;
                           std::erase(name, '-');
                           return name;
                         });

}  // namespace
}  // namespace nearfar::testing
