// What a loss is given by its traits, and what is evaluated after it.
#include "train/loss_output.h"

#include "features/accuracy.h"
#include "features/extract.h"
#include "training_fixture.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/zeros.h>

namespace nearfar {
namespace {

class CrossEntropyOfAny : public Loss {
 public:
  at::Tensor forward(const LossInput& input) override {
    EXPECT_TRUE(input.features.defined());
    return input.output.log_softmax(1).gather(1, input.labels.unsqueeze(1)).mean().neg();
  }
};

/// Trains a head on normalised features at a temperature.
class Normalized final : public CrossEntropyOfAny {
 public:
  static LossTraits traits() {
    return {.wants_features = true, .feature_temperature = 0.25, .evaluated_temperature = 0.5};
  }
};

/// Remembers what it was told at the start.
class Told final : public CrossEntropyOfAny {
 public:
  static LossTraits traits() { return {.wants_features = true, .wants_class_means = true}; }
  void start(const at::Tensor& class_means) override { means.push_back(class_means.clone()); }
  std::vector<at::Tensor> means = {};
};

at::Tensor tensor_of(const std::filesystem::path& file, const std::string& name) {
  for (const NamedTensor& named : read_checkpoint(file).network) {
    if (named.name == name) return named.tensor;
  }
  ADD_FAILURE() << name << " is not in " << file;
  return {};
}

TEST(LossOutput, IsOfNormalizedFeaturesAtTheirTemperature) {
  const auto network = make_network({.architecture = "resnet8", .classes = 3}, 1);
  const HeadWeights head = network->head();
  const at::Tensor features = at::randn({5, network->feature_dim()});
  const at::Tensor wanted = features.div(features.norm(2, {1}, true)).div(0.25).mm(head.weight.t()).add(head.bias);
  const at::Tensor found = loss_output(*network, features, Normalized::traits());
  EXPECT_LE(found.sub(wanted).abs().max().item<float>(), 1e-5F);
  EXPECT_TRUE(loss_output(*network, features, {}).equal(network->output(features)));
}

TEST_F(Training, KeepsAHeadDividedByTheEvaluatedTemperature) {
  for (const double decay : {0.0, 0.5}) {
    TrainingTask task = job("normalized" + std::to_string(decay), Normalized::traits());
    task.recipe.ema_decay = decay;
    task.recipe.epochs = 1;  // so that the best and the last are of one step
    const TrainingResult result = run<Normalized>(task);
    const Checkpoint last = read_checkpoint(result.last);
    at::Tensor trained = tensor_of(result.last, "head.weight");
    for (const NamedTensor& average : last.ema) trained = average.name == "head.weight" ? average.tensor : trained;
    EXPECT_EQ(last.ema.empty(), decay == 0);
    EXPECT_TRUE(tensor_of(result.best, "head.weight").equal(trained.div(0.5)));
    const auto best = load_network(result.best);
    EXPECT_EQ(result.val_accuracy,
              linear_accuracy(run_network(*best, val_.view).logits, label_tensor(val_.view)).accuracy);
  }
}

TEST_F(Training, TellsClassMeansOnceBeforeTheFirstStep) {
  TrainingTask task = job("told", Told::traits());
  task.callbacks.should_stop = [asked = 0]() mutable { return ++asked > 3; };
  Told first, second;
  train(task, first);
  task.callbacks.should_stop = {};
  train(task, second);
  EXPECT_TRUE(second.means.empty());
  ASSERT_EQ(first.means.size(), 1U);

  // The network of the start, by one image after the other.
  std::unique_ptr<Network> start;
  TrainingTask copied = job("copied", Told::traits());
  copied.callbacks.initialize = [&](Network& network) {
    start = make_empty_network(network.spec());
    load_tensors(*start, network.named_tensors(), "test");
  };
  copied.callbacks.should_stop = [] { return true; };
  Told none;
  train(copied, none);
  const FeatureBatch val = run_network(*start, val_.view);
  at::Tensor sums = at::zeros({3, 3}, at::kDouble);
  for (std::int64_t i = 0; i < 60; ++i) sums[i % 3].add_(val.logits[i].toType(at::kDouble).div(20));  // label i % 3
  EXPECT_LE(first.means[0].sub(sums).abs().max().item<double>(), 1e-6);
}

TEST_F(Training, TellsClassMeansOfTrainImagesWhereThereAreNoOthers) {
  TrainingTask task = job("train", Told::traits());
  task.callbacks.should_stop = [] { return true; };
  task.val = {};
  Told of_train, of_val;
  train(task, of_train);
  task = job("val", Told::traits());
  task.callbacks.should_stop = [] { return true; };
  task.val = train_.view;
  train(task, of_val);
  ASSERT_EQ(of_train.means.size(), 1U);
  EXPECT_TRUE(of_train.means[0].equal(of_val.means.at(0)));
}

/// Sets a parameter of its own at the start.
class Scaled final : public CrossEntropyOfAny {
 public:
  static LossTraits traits() { return {.wants_features = true, .wants_class_means = true}; }
  void prepare(const LossSetup&) override { scale_ = at::zeros({1}); }
  void start(const at::Tensor&) override { at::Tensor(scale_.detach()).fill_(5); }
  std::vector<LossTensor> state() override { return {{"scale", scale_, true}}; }

 private:
  at::Tensor scale_;
};

TEST_F(Training, AveragesParametersFromWhereALossStartsThem) {
  TrainingTask task = job("scaled", Scaled::traits());
  task.recipe.ema_decay = 0.5;
  task.callbacks.should_stop = [] { return true; };
  const TrainingResult result = run<Scaled>(task);
  const std::vector<NamedTensor> averages = read_checkpoint(result.last).ema;
  ASSERT_EQ(averages.back().name, "loss.scale");
  EXPECT_EQ(averages.back().tensor.item<float>(), 5.0F);
}

TEST(ClassMeans, AreZeroForAClassWithoutImages) {
  const Blobs two(2, 1);  // labels 0 and 1
  const auto network = make_network({.architecture = "resnet8", .height = 8, .width = 8, .classes = 3}, 1);
  const at::Tensor means = class_means(*network, {}, run_network(*network, two.view));
  EXPECT_EQ(means[2].abs().max().item<float>(), 0.0F);
  EXPECT_GT(means[0].abs().max().item<float>(), 0.0F);
  EXPECT_TRUE(network->is_training());
}

}  // namespace
}  // namespace nearfar
