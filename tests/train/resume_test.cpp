// Kills, stops and damaged files: a training ends with the bytes of one that was left alone.
#include "base/files.h"
#include "base/hash.h"
#include "base/text.h"
#include "models/safetensors.h"
#include "train/trainer.h"
#include "training_fixture.h"

#include <gtest/gtest.h>

namespace nearfar {
namespace {

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

TEST_F(Training, ChecksPointsAsRarelyAsTheRecipeSaysWithTheSameResult) {
  TrainingTask rare = job("rare", CrossEntropy::traits());
  rare.recipe.checkpoint_every_epochs = 0;
  const TrainingResult a = run<CrossEntropy>(rare), b = run<CrossEntropy>(job("often", CrossEntropy::traits()));
  EXPECT_TRUE(read_file(a.last) == read_file(b.last));
  EXPECT_TRUE(read_file(a.best) == read_file(b.best));
}

TEST_F(Training, KilledWithEverythingOnEndsWithTheSameBytes) {
  struct Killed {};
  const auto everything = [&](const std::string& name) {
    TrainingTask made = job(name, Centres::traits());
    made.recipe.optimizer = "adamw";
    made.recipe.learning_rate = 0.01;
    made.recipe.ema_decay = 0.9;
    made.recipe.accumulate = 2;
    made.recipe.clip_norm = 1;
    made.recipe.warmup = "openood";
    made.recipe.warmup_epochs = 1;
    made.recipe.checkpoint_every_minutes = 1e-9;  // before every step
    return made;
  };
  const TrainingResult whole = run_centres(everything("whole"));
  TrainingTask broken = everything("broken");
  for (const std::int64_t kill_at : {1, 2, 7, 8, 15, 27}) {
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
  EXPECT_EQ(first_step, 27);
  EXPECT_TRUE(read_file(whole.last) == read_file(again.last));
  EXPECT_TRUE(read_file(whole.best) == read_file(again.best));
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

/// What a start after some accident does: how many steps it takes, and what it says.
class Resume : public Training {
 protected:
  static constexpr std::int64_t kAllSteps = 28, kStoppedAt = 16, kSavedBefore = 14;  // of 7 an epoch

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
      const std::string what =
          wanted_steps == kAllSteps ? "training starts over: " : "training goes on from step 14 of ";
      EXPECT_NE(log.find(what), std::string::npos) << log;
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

TEST_F(Resume, GoesOnFromTheOneBeforeATruncatedLast) {
  truncate(last_);
  expect_again(kAllSteps - kSavedBefore, last_.string());
}

TEST_F(Resume, StartsOverWithoutAWholeLast) {
  truncate(last_);
  truncate(task_.folder / "last.1.safetensors");
  expect_again(kAllSteps, last_.string());
}

TEST_F(Resume, StartsOverFromATruncatedLastWhereOneIsKept) {
  truncate(last_);
  task_.recipe.keep_checkpoints = 1;
  expect_again(kAllSteps, last_.string());
}

TEST_F(Resume, GoesOnFromTheOneBeforeALastWithOneByteFlipped) {
  std::string bytes = read_file(last_);
  bytes[bytes.size() - 5] = static_cast<char>(bytes[bytes.size() - 5] ^ 1);
  write_file_atomic(last_, bytes);
  expect_again(kAllSteps - kSavedBefore, "its tensors are not those that were written");
}

TEST_F(Resume, GoesOnWithoutItsLast) {
  std::filesystem::remove(last_);
  expect_again(kAllSteps - kSavedBefore, last_.string() + " is missing");
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

TEST_F(Resume, PassesOverFormat1) {
  const TensorFile content = read_safetensors(last_);
  write_safetensors(
      last_, content.tensors,
      {{"nearfar", replace_all(content.metadata.at("nearfar"), "nearfar-checkpoint-2", "nearfar-checkpoint-1")}});
  expect_again(kAllSteps - kSavedBefore, "is of an older version's format");
}

TEST_F(Resume, PassesOverStateThatFitsNoParameter) {
  Checkpoint saved = read_checkpoint(last_);
  saved.optimizer[0].parameter = "nobody";
  write_checkpoint(last_, saved);
  expect_again(kAllSteps - kSavedBefore, "'optimizer.momentum.nobody' of the checkpoint fits no parameter");
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

}  // namespace
}  // namespace nearfar
