#include "train/folder.h"

#include "base/error.h"
#include "base/files.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/full.h>
#include <gtest/gtest.h>

namespace nearfar {
namespace {

class Folder : public ::testing::Test {
 protected:
  /// A save after `step` steps, with a new best epoch where `better`.
  void save(std::int64_t step, bool better, std::int64_t keep = 2) {
    const TrainingFolder files(folder_.path(), keep);
    state_.step = step;
    state_.network = {{"w", at::full({2}, static_cast<double>(step), at::kFloat), true}};
    if (better) {
      state_.best_epoch = step;
      state_.best_sha256.clear();
      state_.best_sha256 = files.write_best(state_);
    }
    files.write_last(state_);
  }
  /// The step of what is taken; -1 for a start anew.
  std::int64_t resumed(std::int64_t keep = 2) {
    std::int64_t step = -1;
    ::testing::internal::CaptureStderr();
    TrainingFolder(folder_.path(), keep).resume("id", state_.spec, [&](Checkpoint saved, const std::string&) {
      step = saved.step;
    });
    log_ = ::testing::internal::GetCapturedStderr();
    return step;
  }
  void damage(const char* name) { write_file_atomic(folder_.path() / name, "torn"); }
  std::int64_t step_of(const char* name) { return read_checkpoint(folder_.path() / name).step; }

  Folder() { state_.identity = "id"; }
  TempDir folder_;
  Checkpoint state_;
  std::string log_;
};

TEST_F(Folder, IsEmptyAtFirst) {
  EXPECT_EQ(resumed(), -1);
  EXPECT_EQ(log_, "");
}

TEST_F(Folder, KeepsAsManyAsAsked) {
  for (const std::int64_t step : {1, 2, 3, 4}) save(step, step % 2 == 1, 3);
  EXPECT_EQ(step_of("last.safetensors"), 4);
  EXPECT_EQ(step_of("last.1.safetensors"), 3);
  EXPECT_EQ(step_of("last.2.safetensors"), 2);
  EXPECT_EQ(step_of("best.safetensors"), 3);
  EXPECT_EQ(step_of("best.1.safetensors"), 1);
  EXPECT_FALSE(std::filesystem::exists(folder_.path() / "last.3.safetensors"));
  EXPECT_FALSE(std::filesystem::exists(folder_.path() / "best.2.safetensors"));
  EXPECT_EQ(resumed(3), 4);
  EXPECT_EQ(log_, "");
}

TEST_F(Folder, GoesBackToTheOneBeforeAndToItsBest) {
  save(1, true);
  save(2, true);
  damage("last.safetensors");
  EXPECT_EQ(resumed(), 1);
  EXPECT_NE(log_.find("training goes on from step 1 of "), std::string::npos) << log_;
  EXPECT_EQ(step_of("last.safetensors"), 1);
  EXPECT_EQ(step_of("best.safetensors"), 1);
  EXPECT_EQ(resumed(), 1);  // and it stays so
  EXPECT_EQ(log_, "");
}

TEST_F(Folder, GoesBackWhereTheBestIsDamaged) {
  save(1, true);
  save(2, true);
  damage("best.safetensors");
  EXPECT_EQ(resumed(), 1);
  EXPECT_NE(log_.find("is not the file of epoch 2"), std::string::npos) << log_;
  EXPECT_EQ(step_of("best.safetensors"), 1);
}

TEST_F(Folder, GoesBackWhereATakerRefuses) {
  save(1, true);
  save(2, false);
  std::vector<std::int64_t> offered;
  ::testing::internal::CaptureStderr();
  EXPECT_TRUE(TrainingFolder(folder_.path(), 2).resume("id", state_.spec, [&](Checkpoint saved, const std::string&) {
    offered.push_back(saved.step);
    if (saved.step == 2) throw Error(ErrorKind::data, "does not fit");
  }));
  EXPECT_NE(::testing::internal::GetCapturedStderr().find("does not fit"), std::string::npos);
  EXPECT_EQ(offered, (std::vector<std::int64_t>{2, 1}));
}

TEST_F(Folder, IsTidyInTheEnd) {
  save(1, true);
  save(2, true);
  TrainingFolder(folder_.path(), 2).finish();
  EXPECT_FALSE(std::filesystem::exists(folder_.path() / "last.1.safetensors"));
  EXPECT_FALSE(std::filesystem::exists(folder_.path() / "best.1.safetensors"));
  EXPECT_EQ(resumed(), 2);
}

TEST_F(Folder, DeletesNothingOfAnotherTraining) {
  save(1, true);
  state_.identity = "another";
  const std::string before = read_file(folder_.path() / "last.safetensors");
  ::testing::internal::CaptureStderr();
  EXPECT_FALSE(TrainingFolder(folder_.path(), 2).resume("another", state_.spec, [](Checkpoint, const std::string&) {}));
  EXPECT_NE(::testing::internal::GetCapturedStderr().find("is of another training"), std::string::npos);
  EXPECT_EQ(read_file(folder_.path() / "last.safetensors"), before);
}

}  // namespace
}  // namespace nearfar
