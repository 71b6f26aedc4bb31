#pragma once
/// Trainings of a small network on blobs, and two losses.
#include "base/files.h"
#include "blobs.h"
#include "train/trainer.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/eye.h>
#include <ATen/ops/zeros.h>
#include <c10/core/GradMode.h>
#include <gtest/gtest.h>

namespace nearfar {

class CrossEntropy : public Loss {
 public:
  static LossTraits traits() { return {}; }
  at::Tensor forward(const LossInput& input) override {
    EXPECT_FALSE(input.features.defined() || input.soft_targets.defined() || input.aux_output.defined());
    return input.output.log_softmax(1).gather(1, input.labels.unsqueeze(1)).mean().neg();
  }
};

/// An embedding loss with everything a resume must restore: a trained tensor and a buffer that moves with every step.
class Centres final : public Loss {
 public:
  static LossTraits traits() {
    return {.views = 2, .head = HeadKind::embedding, .normalized_embedding = true, .wants_features = true};
  }
  void prepare(const LossSetup& setup) override {
    centres_ = at::eye(setup.classes, setup.output_width);
    drift_ = at::zeros({setup.output_width}, setup.device);
    feature_width_ = setup.feature_width;
  }
  at::Tensor forward(const LossInput& input) override {
    EXPECT_EQ(input.features.sizes(), (std::vector<std::int64_t>{input.output.size(0), feature_width_}));
    EXPECT_TRUE(input.features.requires_grad());
    {
      const c10::AutoGradMode no_gradients(false);
      drift_.mul_(0.9).add_(input.output.mean(0), 0.1);
    }
    const at::Tensor logits = input.output.sub(drift_.clone()).matmul(centres_.t()).mul(5);
    return logits.log_softmax(1).gather(1, input.labels.unsqueeze(1)).mean().neg();
  }
  std::vector<LossTensor> state() override { return {{"centres", centres_, true}, {"drift", drift_, false}}; }

 private:
  at::Tensor centres_, drift_;
  std::int64_t feature_width_ = 0;
};

class Training : public ::testing::Test {
 protected:
  TrainingTask job(const std::string& name, const LossTraits& traits) {
    TrainingTask made;
    made.identity = "test";
    made.traits = traits;
    made.recipe.epochs = 4;
    made.recipe.batch_size = 16;
    made.recipe.learning_rate = 0.1;
    made.recipe.shift = 1;
    made.recipe.embedding_dim = 4;
    made.train = train_.view;
    made.val = val_.view;
    made.seed = 5;
    made.network = network_spec("resnet8", made.recipe, traits, made.train, 3);
    made.folder = folder_.path() / name;
    return made;
  }
  template <class L>
  TrainingResult run(const TrainingTask& made) {
    L loss;
    return train(made, loss);
  }
  TrainingResult run_centres(const TrainingTask& made) { return run<Centres>(made); }

  TempDir folder_;
  Blobs train_{105, 1}, val_{60, 2};  // 105 = 6 batches of 16 and one of 9
};

}  // namespace nearfar
