#include "train/trainer.h"

#include "base/error.h"
#include "base/files.h"
#include "features/extract.h"
#include "train/random.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/eye.h>
#include <ATen/ops/zeros.h>
#include <c10/core/GradMode.h>
#include <gtest/gtest.h>

#include <limits>

namespace nearfar {
namespace {

/// `count` noisy 8 x 8 images of 3 classes: class c has a bright square in corner c.
struct Blobs {
  explicit Blobs(std::int64_t count, std::uint64_t seed) {
    for (std::int64_t i = 0; i < count; ++i) {
      const std::int64_t label = i % 3;
      labels.push_back(label);
      for (std::int64_t p = 0; p < 64; ++p) {
        const std::int64_t y = p / 8, x = p % 8;
        const bool bright = (y < 4) == (label < 2) && (x < 4) == (label % 2 == 0);
        const std::uint64_t noise = bounded(random_bits(seed, RandomPurpose::flip, i, p), 100);
        pixels.push_back(static_cast<std::uint8_t>((bright ? 130 : 0) + noise));
      }
    }
    view = {pixels, labels, count, 1, 8, 8, {0.3}, {0.25}};
  }
  std::vector<std::uint8_t> pixels;
  std::vector<std::int64_t> labels;
  ImageView view;
};

class CrossEntropy : public Loss {
 public:
  LossTraits traits() const override { return {}; }
  at::Tensor forward(const LossInput& input) override {
    return input.output.log_softmax(1).gather(1, input.labels.unsqueeze(1)).mean().neg();
  }
};

/// An embedding loss with everything a resume must restore: a trained tensor and a buffer that moves with every step.
class Centres final : public Loss {
 public:
  LossTraits traits() const override { return {2, HeadKind::embedding, true}; }
  void prepare(std::int64_t classes, std::int64_t width) override {
    centres_ = at::eye(classes, width);
    drift_ = at::zeros({width});
  }
  at::Tensor forward(const LossInput& input) override {
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
};

class Training : public ::testing::Test {
 protected:
  TrainJob job(const std::string& name, const LossTraits& traits) {
    TrainJob made;
    made.identity = "test";
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
  TrainResult run(const TrainJob& made) {
    L loss;
    return train(made, loss);
  }
  TrainResult run_centres(const TrainJob& made) { return run<Centres>(made); }

  TempDir folder_;
  Blobs train_{105, 1}, val_{60, 2};  // 105 = 6 batches of 16 and one of 9
};

TEST_F(Training, LearnsToClassify) {
  const TrainResult result = run<CrossEntropy>(job("ce", CrossEntropy().traits()));
  EXPECT_TRUE(result.finished);
  ASSERT_EQ(result.history.size(), 4u);
  EXPECT_LT(result.history.back().loss, result.history.front().loss);
  EXPECT_GE(result.val_accuracy.value(), 0.95);
  const auto best = load_network(result.best);
  EXPECT_EQ(run_network(*best, val_.view).logits.argmax(1).eq(label_tensor(val_.view)).sum().item<std::int64_t>(),
            static_cast<std::int64_t>(std::llround(result.val_accuracy.value() * 60)));
}

TEST_F(Training, LearnsAnEmbedding) {
  const TrainResult result = run_centres(job("embedding", Centres().traits()));
  EXPECT_GE(result.val_accuracy.value(), 0.95);
  EXPECT_FALSE(result.history.back().val_accuracy.has_value());
  EXPECT_EQ(read_checkpoint(result.last).loss.size(), 2u);
}

TEST_F(Training, GivesTheSameBytesTwiceAndOthersForAnotherSeed) {
  const TrainResult a = run_centres(job("a", Centres().traits())), b = run_centres(job("b", Centres().traits()));
  TrainJob other = job("c", Centres().traits());
  other.seed = 6;
  const TrainResult c = run_centres(other);
  EXPECT_TRUE(read_file(a.last) == read_file(b.last));
  EXPECT_TRUE(read_file(a.best) == read_file(b.best));
  EXPECT_FALSE(read_file(a.last) == read_file(c.last));
}

TEST_F(Training, KilledAtAnyStepAndRunAgainEndsWithTheSameBytes) {
  struct Killed {};
  const TrainResult whole = run_centres(job("whole", Centres().traits()));
  TrainJob broken = job("broken", Centres().traits());
  for (const std::int64_t kill_at :
       {3, 9, 13, 14, 27}) {  // 7 steps an epoch; each kill loses the steps since the last epoch's end
    broken.callbacks.progress = [&](const TrainProgress& progress) {
      if (progress.step == kill_at) throw Killed{};
    };
    EXPECT_THROW(run_centres(broken), Killed);
  }
  std::int64_t first_step = 0;
  broken.callbacks.progress = [&](const TrainProgress& progress) {
    first_step = first_step == 0 ? progress.step : first_step;
  };
  const TrainResult again = run_centres(broken);
  EXPECT_EQ(first_step, 22);  // three epochs of 7 were saved
  EXPECT_TRUE(read_file(whole.last) == read_file(again.last));
  EXPECT_TRUE(read_file(whole.best) == read_file(again.best));
  EXPECT_EQ(whole.history, again.history);
  EXPECT_EQ(whole.val_accuracy, again.val_accuracy);
}

TEST_F(Training, StopsInTheMiddleOfAnEpochAndGoesOnFromThere) {
  const TrainResult whole = run<CrossEntropy>(job("whole", CrossEntropy().traits()));
  TrainJob stopped = job("stopped", CrossEntropy().traits());
  int asked = 0;
  stopped.callbacks.should_stop = [&] { return ++asked > 10; };
  EXPECT_FALSE(run<CrossEntropy>(stopped).finished);
  EXPECT_EQ(read_checkpoint(stopped.folder / "last.safetensors").step, 10);
  stopped.callbacks = {};
  std::int64_t steps = 0;
  stopped.callbacks.progress = [&](const TrainProgress&) { ++steps; };
  const TrainResult again = run<CrossEntropy>(stopped);
  EXPECT_EQ(steps, 18);
  EXPECT_TRUE(read_file(whole.last) == read_file(again.last));
}

TEST_F(Training, FinishedReturnsAtOnceAndAnotherIdentityStartsAnew) {
  TrainJob twice = job("twice", CrossEntropy().traits());
  run<CrossEntropy>(twice);
  std::int64_t steps = 0;
  twice.callbacks.progress = [&](const TrainProgress&) { ++steps; };
  EXPECT_EQ(run<CrossEntropy>(twice).history.size(), 4u);
  EXPECT_EQ(steps, 0);
  twice.identity = "another";
  run<CrossEntropy>(twice);
  EXPECT_EQ(steps, 28);
}

TEST_F(Training, ChecksPointsAsRarelyAsTheRecipeSaysWithTheSameResult) {
  TrainJob rare = job("rare", CrossEntropy().traits());
  rare.recipe.checkpoint_every_epochs = 0;
  const TrainResult a = run<CrossEntropy>(rare), b = run<CrossEntropy>(job("often", CrossEntropy().traits()));
  EXPECT_TRUE(read_file(a.last) == read_file(b.last));
}

TEST_F(Training, LeavesOutALastBatchOfOneImage) {
  TrainJob odd = job("odd", CrossEntropy().traits());
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
    run<Diverges>(job("nan", CrossEntropy().traits()));
    FAIL();
  } catch (const NonFiniteLoss& error) {
    EXPECT_NE(std::string(error.what()).find("epoch 1, step 8"), std::string::npos) << error.what();
  }
}

TEST_F(Training, CallsTheLossThroughTheGuard) {
  struct Throws final : CrossEntropy {
    at::Tensor forward(const LossInput&) override { throw 42; }
  };
  TrainJob guarded = job("guard", CrossEntropy().traits());
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
  const auto kind_of = [&](const TrainJob& bad) {
    try {
      run<CrossEntropy>(bad);
    } catch (const Error& error) {
      return error.kind();
    }
    return ErrorKind::nothing;
  };
  TrainJob bad = job("bad", CrossEntropy().traits());
  bad.recipe.batch_size = 1;
  EXPECT_EQ(kind_of(bad), ErrorKind::config);
  bad = job("bad", CrossEntropy().traits());
  bad.recipe.shift = 8;
  EXPECT_EQ(kind_of(bad), ErrorKind::config);
  bad = job("bad", CrossEntropy().traits());
  bad.network.classes = 2;
  EXPECT_EQ(kind_of(bad), ErrorKind::data);
  struct Undefined final : CrossEntropy {
    at::Tensor forward(const LossInput&) override { return {}; }
  };
  Undefined loss;
  EXPECT_THROW(train(job("bad", loss.traits()), loss), Error);
}

}  // namespace
}  // namespace nearfar
