#include "train/trainer.h"

#include "base/error.h"
#include "base/files.h"
#include "base/hash.h"
#include "base/text.h"
#include "blobs.h"
#include "features/extract.h"
#include "models/safetensors.h"
#include "train/random.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/eye.h>
#include <ATen/ops/zeros.h>
#include <c10/core/GradMode.h>
#include <gtest/gtest.h>

#include <limits>

namespace nearfar {
namespace {

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

TEST_F(Training, KilledAtAnyStepAndRunAgainEndsWithTheSameBytes) {
  struct Killed {};
  const TrainingResult whole = run_centres(job("whole", Centres::traits()));
  TrainingTask broken = job("broken", Centres::traits());
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
  const TrainingResult again = run_centres(broken);
  EXPECT_EQ(first_step, 22);  // three epochs of 7 were saved
  EXPECT_TRUE(read_file(whole.last) == read_file(again.last));
  EXPECT_TRUE(read_file(whole.best) == read_file(again.best));
  EXPECT_EQ(whole.history, again.history);
  EXPECT_EQ(whole.val_accuracy, again.val_accuracy);
}

TEST_F(Training, StopsInTheMiddleOfAnEpochAndGoesOnFromThere) {
  const TrainingResult whole = run<CrossEntropy>(job("whole", CrossEntropy::traits()));
  TrainingTask stopped = job("stopped", CrossEntropy::traits());
  int asked = 0;
  stopped.callbacks.should_stop = [&] { return ++asked > 10; };
  EXPECT_FALSE(run<CrossEntropy>(stopped).finished);
  EXPECT_EQ(read_checkpoint(stopped.folder / "last.safetensors").step, 10);
  stopped.callbacks = {};
  std::int64_t steps = 0;
  stopped.callbacks.progress = [&](const TrainProgress&) { ++steps; };
  const TrainingResult again = run<CrossEntropy>(stopped);
  EXPECT_EQ(steps, 18);
  EXPECT_TRUE(read_file(whole.last) == read_file(again.last));
}

TEST_F(Training, FinishedReturnsAtOnceAndAnotherIdentityStartsAnew) {
  TrainingTask twice = job("twice", CrossEntropy::traits());
  run<CrossEntropy>(twice);
  std::int64_t steps = 0;
  twice.callbacks.progress = [&](const TrainProgress&) { ++steps; };
  EXPECT_EQ(run<CrossEntropy>(twice).history.size(), 4u);
  EXPECT_EQ(steps, 0);
  twice.identity = "another";
  run<CrossEntropy>(twice);
  EXPECT_EQ(steps, 28);
}

/// What a start after some accident does: how many steps it takes, and what it says.
class Resume : public Training {
 protected:
  static constexpr std::int64_t kAllSteps = 28, kStoppedAt = 16;  // of 7 an epoch

  Resume() : whole_(run<CrossEntropy>(job("whole", CrossEntropy::traits()))) {
    task_ = job("stopped", CrossEntropy::traits());
    task_.callbacks.should_stop = [asked = 0]() mutable { return ++asked > kStoppedAt; };
    EXPECT_FALSE(run<CrossEntropy>(task_).finished);
    task_.callbacks = {};
    last_ = last_checkpoint(task_.folder);
    best_ = best_checkpoint(task_.folder);
  }

  /// Runs again; the end must be that of a training without accidents.
  void expect_again(std::int64_t wanted_steps, const std::string& wanted_in_log) {
    std::int64_t steps = 0;
    task_.callbacks.progress = [&](const TrainProgress&) { ++steps; };
    ::testing::internal::CaptureStderr();
    const TrainingResult again = run<CrossEntropy>(task_);
    const std::string log = ::testing::internal::GetCapturedStderr();
    EXPECT_EQ(steps, wanted_steps);
    if (wanted_in_log.empty()) {
      EXPECT_EQ(log, "");
    } else {
      EXPECT_NE(log.find("training starts over: "), std::string::npos) << log;
      EXPECT_NE(log.find(wanted_in_log), std::string::npos) << log;
    }
    EXPECT_TRUE(read_file(whole_.best) == read_file(again.best));
    EXPECT_EQ(read_checkpoint(again.last).best_sha256, sha256_file(again.best));
    EXPECT_FALSE(std::filesystem::exists(next_best_checkpoint(task_.folder)));
  }

  void truncate(const std::filesystem::path& file) {
    std::filesystem::resize_file(file, std::filesystem::file_size(file) / 2);
  }

  TrainingResult whole_;
  TrainingTask task_;
  std::filesystem::path last_, best_;
};

TEST_F(Resume, GoesOnWhereNothingHappened) { expect_again(kAllSteps - kStoppedAt, ""); }

TEST_F(Resume, StartsOverFromATruncatedLast) {
  truncate(last_);
  expect_again(kAllSteps, last_.string());
}

TEST_F(Resume, StartsOverFromALastWithOneByteFlipped) {
  std::string bytes = read_file(last_);
  bytes[bytes.size() - 5] = static_cast<char>(bytes[bytes.size() - 5] ^ 1);
  write_file_atomic(last_, bytes);
  expect_again(kAllSteps, "its tensors are not those that were written");
}

TEST_F(Resume, StartsOverWithoutItsLast) {
  std::filesystem::remove(last_);
  expect_again(kAllSteps, last_.string() + " is missing");
}

TEST_F(Resume, StartsOverFromATruncatedBest) {
  truncate(best_);
  expect_again(kAllSteps, best_.string() + " is not the file of epoch ");
}

TEST_F(Resume, StartsOverFromABestWithOneByteFlipped) {
  std::string bytes = read_file(best_);
  bytes[bytes.size() - 5] = static_cast<char>(bytes[bytes.size() - 5] ^ 1);  // in the weights: no parser would notice
  write_file_atomic(best_, bytes);
  expect_again(kAllSteps, best_.string() + " is not the file of epoch ");
}

TEST_F(Resume, StartsOverWithoutItsBest) {
  std::filesystem::remove(best_);
  expect_again(kAllSteps, best_.string() + " is not the file of epoch ");
}

TEST_F(Resume, StartsOverFromAnotherIdentity) {
  task_.identity = "another";
  whole_.best = run<CrossEntropy>([&] {
                  TrainingTask other = job("other", CrossEntropy::traits());
                  other.identity = "another";
                  return other;
                }())
                    .best;
  expect_again(kAllSteps, "is of another training");
}

TEST_F(Resume, StartsOverFromFormat1) {
  const TensorFile content = read_safetensors(last_);
  write_safetensors(
      last_, content.tensors,
      {{"nearfar", replace_all(content.metadata.at("nearfar"), "nearfar-checkpoint-2", "nearfar-checkpoint-1")}});
  expect_again(kAllSteps, "is of an older version's format");
}

TEST_F(Resume, StartsOverFromStateThatFitsNoParameter) {
  Checkpoint saved = read_checkpoint(last_);
  saved.optimizer[0].parameter = "nobody";
  write_checkpoint(last_, saved);
  expect_again(kAllSteps, "'optimizer.momentum.nobody' of the checkpoint fits no parameter");
}

TEST_F(Resume, GoesOnAfterAKillBetweenTheTwoFilesOfASave) {
  std::filesystem::rename(best_, next_best_checkpoint(task_.folder));  // `last` is written, the rename is not done
  std::filesystem::copy_file(last_, best_);                            // some earlier best
  expect_again(kAllSteps - kStoppedAt, "");
}

TEST_F(Resume, GoesOnAfterAKillThatLeftABestTooNewForLast) {
  std::filesystem::copy_file(last_, next_best_checkpoint(task_.folder));  // stands for the best of a later epoch
  expect_again(kAllSteps - kStoppedAt, "");
}

TEST_F(Training, ChecksPointsAsRarelyAsTheRecipeSaysWithTheSameResult) {
  TrainingTask rare = job("rare", CrossEntropy::traits());
  rare.recipe.checkpoint_every_epochs = 0;
  const TrainingResult a = run<CrossEntropy>(rare), b = run<CrossEntropy>(job("often", CrossEntropy::traits()));
  EXPECT_TRUE(read_file(a.last) == read_file(b.last));
  EXPECT_TRUE(read_file(a.best) == read_file(b.best));
}

TEST_F(Training, KilledBetweenRareCheckpointsAndRunAgainEndsWithTheSameBytes) {
  struct Killed {};
  TrainingTask rare = job("rare", Centres::traits());
  rare.recipe.checkpoint_every_epochs = 2;
  rare.callbacks.progress = [&](const TrainProgress& progress) {
    if (progress.step == 24) throw Killed{};  // `last` is of step 14; a better epoch ended at 21
  };
  EXPECT_THROW(run_centres(rare), Killed);
  EXPECT_EQ(read_checkpoint(rare.folder / "last.safetensors").step, 14);
  EXPECT_TRUE(std::filesystem::exists(next_best_checkpoint(rare.folder)));
  std::int64_t steps = 0;
  rare.callbacks.progress = [&](const TrainProgress&) { ++steps; };
  const TrainingResult again = run_centres(rare), whole = run_centres(job("whole", Centres::traits()));
  EXPECT_EQ(steps, 14);
  EXPECT_TRUE(read_file(whole.last) == read_file(again.last));
  EXPECT_TRUE(read_file(whole.best) == read_file(again.best));
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
