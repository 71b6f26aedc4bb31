#include "train/random.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

namespace nearfar {
namespace {

using Order = std::vector<std::int64_t>;

TEST(Permutation, KeepsItsGoldenOrder) {
  // From a Python transcription of the header's description: a change here changes every trained model.
  EXPECT_EQ(permutation(0, 0, 10), (Order{1, 8, 6, 5, 0, 7, 4, 3, 2, 9}));
  EXPECT_EQ(permutation(0, 1, 10), (Order{5, 1, 2, 0, 7, 8, 6, 4, 9, 3}));
  EXPECT_EQ(permutation(1, 0, 10), (Order{4, 7, 1, 2, 9, 8, 5, 0, 3, 6}));
  EXPECT_EQ(random_bits(1, RandomPurpose::order, 2, 3, 1), 0x466f1b4428447a73u);
}

TEST(Permutation, VisitsEveryImageOnce) {
  for (const std::int64_t count : {0, 1, 2, 100, 1001}) {
    Order order = permutation(3, 5, count);
    std::sort(order.begin(), order.end());
    Order expected(static_cast<std::size_t>(count));
    std::iota(expected.begin(), expected.end(), 0);
    EXPECT_EQ(order, expected);
  }
}

TEST(Permutation, PutsEachImageFirstEquallyOften) {
  std::vector<int> first(8);
  for (std::uint64_t seed = 0; seed < 8000; ++seed) ++first[static_cast<std::size_t>(permutation(seed, 0, 8)[0])];
  for (const int count : first) EXPECT_NEAR(count, 1000, 150);  // 5 standard deviations of binomial(8000, 1/8)
}

TEST(Bounded, CoversItsRangeEvenly) {
  EXPECT_EQ(bounded(0, 5), 0u);
  EXPECT_EQ(bounded(~0ull, 5), 4u);
  std::vector<int> counts(5);
  for (std::int64_t i = 0; i < 5000; ++i) ++counts[bounded(random_bits(1, RandomPurpose::flip, 0, i), 5)];
  for (const int count : counts) EXPECT_NEAR(count, 1000, 145);
}

TEST(RandomBits, DifferForEveryArgument) {
  const auto bits = random_bits(1, RandomPurpose::flip, 2, 3, 0);
  EXPECT_NE(bits, random_bits(2, RandomPurpose::flip, 2, 3, 0));
  EXPECT_NE(bits, random_bits(1, RandomPurpose::order, 2, 3, 0));
  EXPECT_NE(bits, random_bits(1, RandomPurpose::flip, 3, 3, 0));
  EXPECT_NE(bits, random_bits(1, RandomPurpose::flip, 2, 4, 0));
  EXPECT_NE(bits, random_bits(1, RandomPurpose::flip, 2, 3, 1));
  EXPECT_NE(random_bits(1, RandomPurpose::flip, 2, 3, 0), random_bits(1, RandomPurpose::flip, 3, 2, 0));
  EXPECT_NE(derive_seed(1, 2), derive_seed(2, 1));
}

}  // namespace
}  // namespace nearfar
