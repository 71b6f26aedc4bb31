// Training on the fake device: the CPU's bytes, and hardly ever a wait.
#include "base/error.h"
#include "base/files.h"
#include "blobs.h"
#include "device/device.h"
#include "fake_device/fake_device.h"
#include "train/step.h"
#include "train/trainer.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/zeros.h>
#include <c10/core/GradMode.h>
#include <gtest/gtest.h>

#include <limits>
#include <numeric>
#include <optional>

namespace nearfar {
namespace {

class CrossEntropy : public Loss {
 public:
  at::Tensor forward(const LossInput& input) override {
    return input.output.log_softmax(1).gather(1, input.labels.unsqueeze(1)).mean().neg();
  }
};

/// Says of itself that it can be recorded, and cannot.
class Waiting final : public CrossEntropy {
 public:
  at::Tensor forward(const LossInput& input) override {
    return CrossEntropy::forward(input).mul(
        input.labels.numel() > 0 && input.labels.min().item<std::int64_t>() >= 0 ? 1 : 2);
  }
};

/// Has a buffer that moves with every step, and no number in the fifth.
class Drifting : public CrossEntropy {
 public:
  void prepare(const LossSetup& setup) override {
    drift_ = at::zeros({setup.output_width}, at::TensorOptions(at::kFloat).device(setup.device));
  }
  at::Tensor forward(const LossInput& input) override {
    {
      const c10::AutoGradMode none(false);
      drift_.mul_(0.9).add_(input.output.mean(0), 0.1);
    }
    const at::Tensor logits = input.output.sub(drift_.clone());
    return logits.log_softmax(1).gather(1, input.labels.unsqueeze(1)).mean().neg();
  }
  std::vector<LossTensor> state() override { return {{"drift", drift_, false}}; }

 private:
  at::Tensor drift_;
};

class Overflowing final : public CrossEntropy {
 public:
  at::Tensor forward(const LossInput& input) override {
    return CrossEntropy::forward(input).mul(input.step == 9 ? std::numeric_limits<double>::infinity() : 1);
  }
};

class TrainingOnADevice : public ::testing::Test {
 protected:
  TrainingTask task(const std::string& name, at::Device device, bool capturable = true) {
    TrainingTask made;
    made.identity = "test";
    made.device = device;
    made.traits.capturable = capturable;
    made.recipe.epochs = 3;
    made.recipe.batch_size = 16;
    made.recipe.learning_rate = 0.05;
    made.recipe.shift = 1;
    made.recipe.flip = true;
    made.train = train_.view;
    made.val = val_.view;
    made.seed = 5;
    made.network = network_spec("resnet8", made.recipe, made.traits, made.train, 3);
    made.folder = folder_.path() / name;
    return made;
  }
  template <class L>
  std::string bytes(const TrainingTask& made) {
    L loss;
    return read_file(train(made, loss).last);
  }
  template <class L>
  void expect_the_cpus_bytes(bool capturable) {
    EXPECT_EQ(bytes<L>(task("cpu", at::kCPU, capturable)), bytes<L>(task("device", device_, capturable)));
  }

  at::Device device_ = open_device("cuda");
  TempDir folder_;
  Blobs train_{105, 1}, val_{60, 2};  // 105 = 6 batches of 16 and one of 9
};

TEST_F(TrainingOnADevice, GivesTheCpusBytesStepByStep) { expect_the_cpus_bytes<CrossEntropy>(false); }

TEST_F(TrainingOnADevice, GivesTheCpusBytesAsAGraph) {
  fake::reset_counts();
  expect_the_cpus_bytes<CrossEntropy>(true);
  // 18 whole batches: three step by step, then a capture, and one replay for each that is left.
  EXPECT_EQ(fake::counts().kernels_of["graph replay"], 15);
}

TEST_F(TrainingOnADevice, KeepsTheStateOfALoss) { expect_the_cpus_bytes<Drifting>(true); }

TEST_F(TrainingOnADevice, TrainsStepByStepWhatCannotBeCaptured) {
  fake::reset_counts();
  expect_the_cpus_bytes<Waiting>(true);
  EXPECT_EQ(fake::counts().kernels_of["graph replay"], 0);
}

TEST_F(TrainingOnADevice, GoesOnInTheMiddleOfAnEpoch) {
  const std::string whole = bytes<Drifting>(task("whole", device_));
  TrainingTask stopped = task("stopped", device_);
  int asked = 0;
  stopped.callbacks.should_stop = [&] { return ++asked == 11; };
  Drifting first;
  EXPECT_FALSE(train(stopped, first).finished);
  stopped.callbacks = {};
  EXPECT_EQ(bytes<Drifting>(stopped), whole);
}

TEST_F(TrainingOnADevice, GoesOnFromACheckpointOfTheCpu) {
  TrainingTask stopped = task("moved", at::kCPU);
  int asked = 0;
  stopped.callbacks.should_stop = [&] { return ++asked == 11; };
  Drifting first;
  EXPECT_FALSE(train(stopped, first).finished);
  stopped.callbacks = {};
  stopped.device = device_;
  EXPECT_EQ(bytes<Drifting>(stopped), bytes<Drifting>(task("whole", at::kCPU)));
}

TEST_F(TrainingOnADevice, SaysAtTheEpochsEndWhereTheLossBecameInfinite) {
  Overflowing loss;
  try {
    train(task("infinite", device_, false), loss);
    FAIL() << "an infinite loss passed";
  } catch (const NonFiniteLoss& error) {
    const std::string text = error.what();
    EXPECT_NE(text.find("the loss is inf at epoch 1, step 9 (learning rate "), std::string::npos) << text;
    // Step 9 is the third of its epoch.
    const std::vector<std::int64_t> order = permutation(derive_seed(5, 2), 1, 105);
    EXPECT_NE(text.find("train images " + std::to_string(order[32]) + ", " + std::to_string(order[33]) + ", "),
              std::string::npos)
        << text;
  }
}

/// Steps of one epoch, outside of train().
class Steps {
 public:
  Steps(const Blobs& images, at::Device device, bool capturable)
      : network_(make_network({"resnet8", 1, 8, 8, 3, HeadKind::linear, "mlp", 4}, 1, device)) {
    traits_.capturable = capturable;
    recipe_.batch_size = 16;
    recipe_.shift = 1;
    std::vector<NamedTensor> parameters = network_->named_tensors();
    std::erase_if(parameters, [](const NamedTensor& named) { return !named.parameter; });
    optimizer_.emplace(parameters, OptimizerOptions{.weight_decay = 1e-3});
    batches_ = resident_batches(images.view, augmentation(recipe_, traits_), 7, device);
    step_.emplace(StepParts{.network = *network_,
                            .loss = loss_,
                            .traits = traits_,
                            .recipe = recipe_,
                            .batches = *batches_,
                            .optimizer = *optimizer_,
                            .images = images.view.count});
  }
  void begin(std::int64_t epoch, std::int64_t images) {
    order_.resize(static_cast<std::size_t>(images));
    std::iota(order_.begin(), order_.end(), 0);
    step_->begin_epoch(epoch, order_, 0);
  }
  void run(std::int64_t steps) {
    for (std::int64_t i = 0; i < steps; ++i) step_->run(i, 0.05);
  }
  std::vector<double> losses(std::int64_t steps) { return step_->losses(0, steps); }

 private:
  std::unique_ptr<Network> network_;
  CrossEntropy loss_;
  LossTraits traits_;
  TrainRecipe recipe_;
  std::unique_ptr<Batches> batches_;
  std::optional<Optimizer> optimizer_;
  std::optional<TrainingStep> step_;
  std::vector<std::int64_t> order_;
};

TEST_F(TrainingOnADevice, NoStepWaits) {
  for (const bool capturable : {false, true}) {
    Steps steps(train_, device_, capturable);
    steps.begin(0, 105);
    const fake::ForbidSyncs none;
    steps.run(7);
  }
}

TEST_F(TrainingOnADevice, AnEpochWaitsTwice) {
  for (const bool capturable : {false, true}) {
    Steps steps(train_, device_, capturable);
    steps.begin(0, 105);
    steps.run(7);
    fake::reset_counts();
    steps.begin(1, 105);  // its order is sent
    steps.run(7);
    steps.losses(7);  // and its losses are read
    EXPECT_LE(fake::counts().waits, 2) << capturable;
  }
}

TEST_F(TrainingOnADevice, ACheckpointWaitsOnce) {
  const auto network = make_network({"resnet8", 1, 8, 8, 3, HeadKind::linear, "mlp", 4}, 1, device_);
  Checkpoint checkpoint;
  checkpoint.spec = network->spec();
  checkpoint.network = network->named_tensors();
  fake::reset_counts();
  write_checkpoint(folder_.path() / "c.safetensors", checkpoint);
  EXPECT_EQ(fake::counts().waits, 1);
}

TEST_F(TrainingOnADevice, SendsBatchesWhereTheImagesDoNotFit) {
  const Blobs many(60000, 3);  // 3.7 MiB
  Steps here(many, at::kCPU, false);
  const std::int64_t before = fake::capacity();
  fake::set_capacity(fake::bytes_now() + (12 << 20));
  Steps there(many, device_, true);
  here.begin(0, 60000);
  there.begin(0, 60000);
  here.run(5);
  there.run(5);
  EXPECT_EQ(here.losses(5), there.losses(5));
  EXPECT_LT(fake::bytes_now(), fake::capacity() - (4 << 20));
  fake::set_capacity(before);
}

}  // namespace
}  // namespace nearfar
