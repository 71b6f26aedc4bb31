#include "train/ranks.h"

#include "base/error.h"
#include "on_ranks.h"
#include "train/reducer.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/full.h>
#include <ATen/ops/tensor.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <thread>

namespace nearfar {
namespace {

using testing::on_ranks;

TEST(RankShare, CoversEverythingOnce) {
  for (const std::int64_t rows : {0, 1, 7, 512}) {
    for (const int size : {1, 2, 3, 8}) {
      std::int64_t next = 0;
      for (int rank = 0; rank < size; ++rank) {
        const RankShare share = rank_share(rows, rank, size);
        EXPECT_EQ(share.first, next);
        EXPECT_LE(std::abs(share.count - rows / size), 1);
        next += share.count;
      }
      EXPECT_EQ(next, rows);
    }
  }
}

TEST(RankGroup, SumsBroadcastsAndGathers) {
  on_ranks(3, [](RankGroup& group) {
    const double rank = group.rank();
    const at::Tensor sum = at::full({2, 2}, rank + 1, at::kDouble);
    group.sum(sum);
    EXPECT_TRUE(at::equal(sum, at::full({2, 2}, 6.0, at::kDouble)));
    const at::Tensor told = at::full({}, rank + 5, at::kFloat);
    group.broadcast(told);
    EXPECT_EQ(told.item<float>(), 5);
    const std::vector<std::int64_t> counts{2, 1, 3};  // not equal
    const at::Tensor own = at::full({counts[static_cast<std::size_t>(group.rank())], 2}, rank, at::kFloat);
    const at::Tensor all = group.gather(own, counts);
    EXPECT_TRUE(at::equal(all.select(1, 1), at::tensor({0.0F, 0.0F, 1.0F, 2.0F, 2.0F, 2.0F})));
    const at::Tensor labels =
        group.gather(at::full({counts[static_cast<std::size_t>(group.rank())]}, group.rank(), at::kLong), counts);
    EXPECT_EQ(labels.scalar_type(), at::kLong);
    EXPECT_EQ(labels.sum().item<std::int64_t>(), 7);
  });
}

TEST(RankGroup, GivesEachRankTheGradientOfItsRows) {
  // The loss is the product of the sums of both ranks' rows: each rank's gradient is the other's sum.
  on_ranks(2, [](RankGroup& group) {
    const at::Tensor own = at::full({2, 1}, group.rank() + 2.0, at::kDouble).set_requires_grad(true);
    const at::Tensor all = gathered(group, own, {2, 2});
    all.narrow(0, 0, 2).sum().mul(all.narrow(0, 2, 2).sum()).backward();
    EXPECT_TRUE(at::equal(own.grad(), at::full({2, 1}, group.rank() == 0 ? 6.0 : 4.0, at::kDouble)));
  });
}

TEST(GradientReducer, SumsInBucketsWhateverTheirSize) {
  for (const std::int64_t bucket : {1, 20, 1 << 20}) {
    on_ranks(2, [&](RankGroup& group) {
      std::vector<NamedTensor> parameters;
      for (int i = 0; i < 4; ++i) {
        parameters.push_back({std::to_string(i), at::full({3}, 1.0, at::kFloat).set_requires_grad(true), true});
      }
      GradientReducer reducer(group, parameters, bucket);
      for (int pass = 0; pass < 2; ++pass) {  // the first one's gradients are not sent
        at::Tensor loss = parameters[0].tensor.sum().mul(group.rank() + 1);
        for (int i = 1; i < 3; ++i) loss = loss.add(parameters[static_cast<std::size_t>(i)].tensor.sum().mul(i));
        if (pass == 1) reducer.begin();
        loss.backward();
      }
      reducer.finish();
      EXPECT_TRUE(at::equal(parameters[0].tensor.grad(), at::full({3}, 2.0F + 4.0F)));
      EXPECT_TRUE(at::equal(parameters[1].tensor.grad(), at::full({3}, 4.0F)));
      EXPECT_TRUE(at::equal(parameters[2].tensor.grad(), at::full({3}, 8.0F)));
      EXPECT_FALSE(parameters[3].tensor.grad().defined());
    });
  }
}

TEST(RankGroup, SaysThatTheOthersAreGone) {
  RankGroup first({.rank = 0, .size = 2});
  std::thread other([&] {
    RankGroup group({.rank = 1, .size = 2, .port = first.port()});
    group.join();
  });
  first.join();
  other.join();
  try {
    first.sum(at::full({1}, 1.0F));
    FAIL() << "a sum with nobody";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("rank 0 of 2: the others are gone: "), std::string::npos) << error.what();
  }
}

class Environment : public ::testing::Test {
 protected:
  void SetUp() override {
    for (const char* name : kNames) ::unsetenv(name);
  }
  void TearDown() override { SetUp(); }
  static void set(const char* name, const char* value) { ::setenv(name, value, 1); }
  static std::string refusal() {
    try {
      rank_of_environment();
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  }
  static constexpr const char* kNames[] = {"RANK",        "WORLD_SIZE",   "LOCAL_RANK",   "MASTER_ADDR",
                                           "MASTER_PORT", "SLURM_PROCID", "SLURM_NTASKS", "SLURM_LOCALID"};
};

TEST_F(Environment, IsReadAsTorchrunAndSrunSetIt) {
  EXPECT_FALSE(rank_of_environment());
  set("SLURM_PROCID", "2");
  set("SLURM_NTASKS", "4");
  set("SLURM_LOCALID", "1");
  set("MASTER_ADDR", "node7");
  set("MASTER_PORT", "29500");
  EXPECT_EQ(*rank_of_environment(), (RankPlace{2, 4, 1, "node7", 29500}));
  set("RANK", "0");
  set("WORLD_SIZE", "8");  // torchrun within srun
  EXPECT_EQ(*rank_of_environment(), (RankPlace{0, 8, 0, "node7", 29500}));
  set("LOCAL_RANK", "3");
  EXPECT_EQ(rank_of_environment()->local, 3);
}

TEST_F(Environment, IsRefusedWhereItIsHalfThereOrWrong) {
  set("RANK", "0");
  EXPECT_EQ(refusal(), "WORLD_SIZE is not set, and others of its kind are");
  set("WORLD_SIZE", "two");
  EXPECT_EQ(refusal(), "WORLD_SIZE is 'two', expected a number of at least 1");
  set("WORLD_SIZE", "2");
  EXPECT_EQ(refusal(), "MASTER_ADDR is not set: the host of rank 0, as torchrun sets it");
  set("RANK", "2");
  EXPECT_EQ(refusal(), "rank 2 of 2 processes: ranks count from 0");
}

}  // namespace
}  // namespace nearfar
