#include "base/random.h"

#include <gtest/gtest.h>

namespace nearfar {
namespace {

TEST(SplitMix64, FollowsThePublishedSequence) {
  // The first numbers of the authors' splitmix64.c, whose state grows by the golden ratio's increment, from state 0.
  constexpr std::uint64_t kStep = 0x9e3779b97f4a7c15U;
  EXPECT_EQ(splitmix64(0), 0xe220a8397b1dcdafU);
  EXPECT_EQ(splitmix64(kStep), 0x6e789e6aa1b965f4U);
  EXPECT_EQ(splitmix64(2 * kStep), 0x06c45d188009454fU);
}

}  // namespace
}  // namespace nearfar
