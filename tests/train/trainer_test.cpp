#include "train/trainer.h"

#include "base/error.h"
#include "base/files.h"
#include "features/accuracy.h"
#include "features/extract.h"
#include "train/random.h"
#include "training_fixture.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/full_like.h>
#include <ATen/ops/rand.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace nearfar {
namespace {

TEST_F(Training, LearnsToClassify) {
  const TrainingResult result = run<CrossEntropy>(job("ce", CrossEntropy::traits()));
  EXPECT_TRUE(result.finished);
  ASSERT_EQ(result.history.size(), 4u);
  EXPECT_LT(result.history.back().loss, result.history.front().loss);
  EXPECT_GE(result.val_accuracy.value(), 0.95);
  const auto best = load_network(result.best);
  EXPECT_EQ(run_network(*best, val_.view).logits.argmax(1).eq(label_tensor(val_.view)).sum().item<std::int64_t>(),
            static_cast<std::int64_t>(std::llround(result.val_accuracy.value() * 60)));
}

TEST_F(Training, LearnsAnEmbedding) {
  const TrainingResult result = run_centres(job("embedding", Centres::traits()));
  EXPECT_GE(result.val_accuracy.value(), 0.95);
  EXPECT_FALSE(result.history.back().val_accuracy.has_value());
  EXPECT_EQ(read_checkpoint(result.last).loss.size(), 2u);
}

TEST_F(Training, GivesTheSameBytesTwiceAndOthersForAnotherSeed) {
  const TrainingResult a = run_centres(job("a", Centres::traits())), b = run_centres(job("b", Centres::traits()));
  TrainingTask other = job("c", Centres::traits());
  other.seed = 6;
  const TrainingResult c = run_centres(other);
  EXPECT_TRUE(read_file(a.last) == read_file(b.last));
  EXPECT_TRUE(read_file(a.best) == read_file(b.best));
  EXPECT_FALSE(read_file(a.last) == read_file(c.last));
}

at::Tensor tensor_of(const std::filesystem::path& file, const std::string& name) {
  for (const NamedTensor& named : read_checkpoint(file).network) {
    if (named.name == name) return named.tensor;
  }
  ADD_FAILURE() << name << " is not in " << file;
  return {};
}

TEST_F(Training, EvaluatesTheAverageOfTheWeights) {
  TrainingTask averaged = job("averaged", CrossEntropy::traits());
  averaged.recipe.ema_decay = 0.5;
  const TrainingResult result = run<CrossEntropy>(averaged);
  const Checkpoint last = read_checkpoint(result.last);
  ASSERT_FALSE(last.ema.empty());
  ASSERT_EQ(result.best_epoch, 3);  // so that `best` is of the same moment
  for (const NamedTensor& named : last.ema)
    EXPECT_TRUE(at::equal(named.tensor, tensor_of(result.best, named.name))) << named.name;
  EXPECT_FALSE(at::equal(tensor_of(result.last, "head.weight"), tensor_of(result.best, "head.weight")));
  EXPECT_TRUE(at::equal(tensor_of(result.last, "backbone.bn1.running_mean"),
                        tensor_of(result.best, "backbone.bn1.running_mean")));
  const auto best = load_network(result.best);
  const double accuracy = linear_accuracy(run_network(*best, val_.view).logits, label_tensor(val_.view)).accuracy;
  EXPECT_EQ(accuracy, result.val_accuracy.value());
}

TEST_F(Training, FreezesWhatIsNotTrainable) {
  TrainingTask frozen = job("frozen", CrossEntropy::traits());
  frozen.recipe.trainable = "backbone.layer2 head";
  frozen.recipe.epochs = 1;
  std::vector<NamedTensor> start;
  frozen.callbacks.initialize = [&](Network& network) {
    for (const NamedTensor& named : network.named_tensors())
      start.push_back({named.name, named.tensor.clone(), named.parameter});
  };
  const TrainingResult result = run<CrossEntropy>(frozen);
  ASSERT_FALSE(start.empty());
  for (const NamedTensor& named : start) {
    const bool trained = named.name.starts_with("backbone.layer2") || named.name.starts_with("head");
    const bool same = at::equal(named.tensor, tensor_of(result.last, named.name));
    EXPECT_EQ(same, named.parameter && !trained) << named.name;  // running statistics move everywhere
  }
  frozen.recipe.trainable = "head layer4";
  frozen.recipe.trainable = "nothing";
  EXPECT_THROW(run<CrossEntropy>(frozen), Error);
}

TEST_F(Training, StartsFromTheWeightsItIsGiven) {
  TrainingTask given = job("given", CrossEntropy::traits());
  given.recipe.epochs = 1;
  given.recipe.learning_rate = 1e-30;
  given.callbacks.initialize = [](Network& network) {
    for (const NamedTensor& named : network.named_tensors()) {
      if (named.name == "head.bias") named.tensor.detach().fill_(0.5);
    }
  };
  EXPECT_TRUE(at::equal(tensor_of(run<CrossEntropy>(given).last, "head.bias"),
                        at::full_like(tensor_of(run<CrossEntropy>(given).last, "head.bias"), 0.5)));
}

TEST_F(Training, TakesAStepInParts) {
  struct Counts final : CrossEntropy {
    std::vector<std::int64_t> sizes;
    std::vector<double> values;
    at::Tensor forward(const LossInput& input) override {
      sizes.push_back(input.labels.size(0));
      at::Tensor loss = CrossEntropy::forward(input);
      values.push_back(loss.item<double>());
      return loss;
    }
  };
  TrainingTask parts = job("parts", CrossEntropy::traits());
  parts.recipe.accumulate = 3;
  parts.recipe.epochs = 1;
  Counts loss;
  double first = 0;
  parts.callbacks.progress = [&](const TrainProgress& now) { first = now.step == 1 ? now.loss : first; };
  const TrainingResult result = train(parts, loss);
  ASSERT_EQ(loss.sizes.size(), 21u);  // 6 batches of 16 and one of 9, in 3 parts each
  EXPECT_EQ((std::vector<std::int64_t>(loss.sizes.begin(), loss.sizes.begin() + 3)),
            (std::vector<std::int64_t>{5, 5, 6}));
  EXPECT_EQ((std::vector<std::int64_t>(loss.sizes.end() - 3, loss.sizes.end())), (std::vector<std::int64_t>{3, 3, 3}));
  EXPECT_NEAR(first, (5 * loss.values[0] + 5 * loss.values[1] + 6 * loss.values[2]) / 16, 1e-6);
  EXPECT_GT(result.history[0].gradient_norm.value(), 0);
}

TEST_F(Training, KeepsWhatOodValSaysOfEveryEpoch) {
  TrainingTask task = job("ood-val", CrossEntropy::traits());
  task.recipe.epochs = 2;
  std::vector<std::int64_t> rows;
  task.callbacks.ood_val = [&](Network& network, const FeatureBatch& val) -> std::optional<double> {
    EXPECT_EQ(val.logits.size(1), network.output_dim());
    rows.push_back(val.features.size(0));
    return rows.size() == 1 ? std::optional(0.25) : std::nullopt;
  };
  const TrainingResult result = run<CrossEntropy>(task);
  EXPECT_EQ(rows, (std::vector<std::int64_t>{val_.view.count, val_.view.count}));
  const std::vector<EpochRecord> kept = read_checkpoint(result.last).history;
  EXPECT_EQ(kept, result.history);
  EXPECT_EQ(kept[0].ood_val_auroc, 0.25);
  EXPECT_FALSE(kept[1].ood_val_auroc.has_value());
}

TEST_F(Training, MeasuresTheLastEpochWhereOodValIsAskedForAfterTheEnd) {
  const auto of_val = [](Network&, const FeatureBatch& val) {
    return std::optional(val.features.sum().item<double>());
  };
  const auto short_job = [&](const char* name, bool asked) {
    TrainingTask task = job(name, CrossEntropy::traits());
    task.recipe.epochs = 2;
    task.recipe.ema_decay = 0.9;
    if (asked) task.callbacks.ood_val = of_val;
    return task;
  };
  const TrainingResult asked_at_once = run<CrossEntropy>(short_job("at-once", true));
  const TrainingResult unasked = run<CrossEntropy>(short_job("later", false));
  const std::string best = read_file(unasked.best);
  const TrainingResult asked_later = run<CrossEntropy>(short_job("later", true));
  EXPECT_FALSE(asked_later.history[0].ood_val_auroc.has_value()) << "its weights are gone";
  EXPECT_EQ(asked_later.history[1].ood_val_auroc, asked_at_once.history[1].ood_val_auroc);
  EXPECT_EQ(read_checkpoint(asked_later.last).history, asked_later.history);
  EXPECT_EQ(read_file(asked_later.best), best) << "nothing is trained";
}

TEST_F(Training, GivesSmoothedTargetsToALossThatTakesThem) {
  struct Soft final : Loss {
    at::Tensor forward(const LossInput& input) override {
      EXPECT_EQ(input.soft_targets.size(1), 3);
      const at::Tensor right = input.soft_targets.gather(1, input.labels.unsqueeze(1));
      EXPECT_TRUE(right.allclose(at::full_like(right, 0.7 + 0.1)));
      EXPECT_TRUE(input.soft_targets.sum(1).allclose(at::full_like(input.soft_targets.sum(1), 1)));
      return input.output.log_softmax(1).mul(input.soft_targets).sum(1).mean().neg();
    }
  };
  TrainingTask smooth = job("smooth", {.takes_soft_targets = true});
  smooth.recipe.label_smoothing = 0.3;
  smooth.recipe.epochs = 1;
  Soft loss;
  EXPECT_TRUE(train(smooth, loss).finished);
  smooth.traits.takes_soft_targets = false;
  EXPECT_THROW(train(smooth, loss), Error);
}

TEST_F(Training, ClipsTheGradientAndSaysWhatItWas) {
  TrainingTask clipped = job("clipped", CrossEntropy::traits());
  clipped.recipe.epochs = 1;
  const TrainingResult free = run<CrossEntropy>(clipped);
  clipped.folder = folder_.path() / "clipped2";
  clipped.recipe.clip_norm = 1e-9;  // next to no step
  clipped.recipe.weight_decay = 0;
  const TrainingResult held = run<CrossEntropy>(clipped);
  EXPECT_GT(held.history[0].gradient_norm.value(), 1e-3);
  EXPECT_GT(held.history[0].loss, free.history[0].loss);
}

TEST_F(Training, DrawsTheSameRandomNumbersInAStepWhateverWasBefore) {
  struct Noisy final : CrossEntropy {
    at::Tensor forward(const LossInput& input) override {
      return CrossEntropy::forward(input).mul(at::rand({}, input.output.options().requires_grad(false)).add(1));
    }
  };
  const TrainingResult whole = run<Noisy>(job("whole", CrossEntropy::traits()));
  TrainingTask stopped = job("stopped", CrossEntropy::traits());
  int asked = 0;
  stopped.callbacks.should_stop = [&] { return ++asked > 10; };
  EXPECT_FALSE(run<Noisy>(stopped).finished);
  stopped.callbacks = {};
  EXPECT_TRUE(read_file(whole.last) == read_file(run<Noisy>(stopped).last));
}

TEST_F(Training, TellsOfEveryEpoch) {
  TrainingTask told = job("told", CrossEntropy::traits());
  std::vector<EpochRecord> records;
  told.callbacks.epoch = [&](const EpochRecord& record, double rate) {
    EXPECT_GT(rate, 0);
    EXPECT_TRUE(std::filesystem::exists(told.folder / "last.safetensors"));
    records.push_back(record);
  };
  EXPECT_EQ(run<CrossEntropy>(told).history, records);
}

TEST_F(Training, LeavesOutALastBatchOfOneImage) {
  TrainingTask odd = job("odd", CrossEntropy::traits());
  odd.recipe.batch_size = 52;  // 105 = 52 + 52 + 1
  odd.recipe.epochs = 1;
  std::int64_t total = 0;
  odd.callbacks.progress = [&](const TrainProgress& progress) { total = progress.total_steps; };
  run<CrossEntropy>(odd);
  EXPECT_EQ(total, 2);
}

TEST_F(Training, SaysWhereTheLossBecameNaN) {
  struct Diverges final : CrossEntropy {
    at::Tensor forward(const LossInput& input) override {
      return CrossEntropy::forward(input).mul(input.step < 8 ? 1.0 : std::numeric_limits<double>::quiet_NaN());
    }
  };
  try {
    run<Diverges>(job("nan", CrossEntropy::traits()));
    FAIL();
  } catch (const NonFiniteLoss& error) {
    EXPECT_NE(std::string(error.what()).find("epoch 1, step 8"), std::string::npos) << error.what();
  }
}

TEST_F(Training, CallsTheLossThroughTheGuard) {
  struct Throws final : CrossEntropy {
    at::Tensor forward(const LossInput&) override { throw 42; }
  };
  TrainingTask guarded = job("guard", CrossEntropy::traits());
  guarded.callbacks.guard = [](const std::function<void()>& call) {
    try {
      call();
    } catch (int) {
      throw Error(ErrorKind::plugin, "caught");
    }
  };
  EXPECT_THROW(run<Throws>(guarded), Error);
}

TEST_F(Training, RefusesWhatCannotWork) {
  const auto kind_of = [&](const TrainingTask& bad) {
    try {
      run<CrossEntropy>(bad);
    } catch (const Error& error) {
      return error.kind();
    }
    return ErrorKind::nothing;
  };
  TrainingTask bad = job("bad", CrossEntropy::traits());
  bad.recipe.batch_size = 1;
  EXPECT_EQ(kind_of(bad), ErrorKind::config);
  bad = job("bad", CrossEntropy::traits());
  bad.recipe.shift = 8;
  EXPECT_EQ(kind_of(bad), ErrorKind::config);
  bad = job("bad", CrossEntropy::traits());
  bad.traits.wants_auxiliary = true;
  EXPECT_EQ(kind_of(bad), ErrorKind::config);
  bad = job("bad", CrossEntropy::traits());
  bad.network.classes = 2;
  EXPECT_EQ(kind_of(bad), ErrorKind::data);
  struct Undefined final : CrossEntropy {
    at::Tensor forward(const LossInput&) override { return {}; }
  };
  Undefined loss;
  EXPECT_THROW(train(job("bad", Undefined::traits()), loss), Error);
}

}  // namespace
}  // namespace nearfar
