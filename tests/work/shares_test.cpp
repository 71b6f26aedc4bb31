#include "work/shares.h"

#include <gtest/gtest.h>

namespace nearfar {
namespace {

Experiment with(std::int64_t jobs, std::int64_t threads, std::int64_t nproc = 1) {
  Experiment experiment;
  experiment.jobs = jobs;
  experiment.threads = threads;
  experiment.nproc = nproc;
  return experiment;
}

TEST(Shares, TwoJobsOnTwoProcessorsHaveOneThreadEach) {
  const Shares shares = shares_of(with(2, 1), 0, 2);
  EXPECT_EQ(shares.jobs, 2u);
  EXPECT_EQ(shares.loader_threads, 1);
  EXPECT_EQ(shares.crowded, "");
}

TEST(Shares, JobsFollowFromThreadsAndRanks) {
  EXPECT_EQ(shares_of(with(0, 1), 0, 8).jobs, 8u);
  EXPECT_EQ(shares_of(with(0, 4), 0, 8).jobs, 2u);
  EXPECT_EQ(shares_of(with(0, 2, 2), 0, 8).jobs, 2u);
  EXPECT_EQ(shares_of(with(0, 16), 0, 8).jobs, 1u);
  EXPECT_EQ(shares_of(with(0, 1), 0, 0).jobs, 1u) << "nobody knows how many processors there are";
}

TEST(Shares, MoreThanThereIsIsSaid) {
  const Shares shares = shares_of(with(4, 2), 0, 4);
  EXPECT_EQ(shares.jobs, 4u) << "as asked for";
  EXPECT_NE(shares.crowded.find("-j 2"), std::string::npos) << shares.crowded;
}

TEST(Shares, LoadersOfDevicesShareTheProcessors) {
  Experiment experiment = with(0, 1);
  experiment.device = "cuda:all";
  Shares shares = shares_of(experiment, 4, 32);
  EXPECT_EQ(shares.jobs, 4u);
  EXPECT_EQ(shares.loader_threads, 8);
  experiment.jobs = 2;
  EXPECT_EQ(shares_of(experiment, 4, 32).loader_threads, 16);
  experiment.loader_threads = 3;
  EXPECT_EQ(shares_of(experiment, 4, 32).loader_threads, 3);
  experiment = with(0, 1, 4);
  experiment.device = "cuda";
  EXPECT_EQ(shares_of(experiment, 1, 32).loader_threads, 8) << "of each rank";
}

}  // namespace
}  // namespace nearfar
