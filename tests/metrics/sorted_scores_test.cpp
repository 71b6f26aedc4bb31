#include "metrics/sorted_scores.h"

#include <nearfar/error.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <random>
#include <string>
#include <utility>
#include <vector>

namespace nearfar {
namespace {

using ::testing::HasSubstr;

template <class T>
std::vector<typename SortedScores<T>::Key> keys(const std::vector<T>& scores) {
  const SortedScores<T> sorted(scores, Side::id);
  EXPECT_EQ(sorted.keys()[sorted.size()], SortedScores<T>::kEnd);
  return {sorted.keys(), sorted.keys() + sorted.size()};
}

template <class T>
std::string refusal(const std::vector<T>& scores, Side side) {
  try {
    SortedScores<T>(scores, side);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::data);
    return error.what();
  }
  return "accepted";
}

template <class T>
class SortedScoresOf : public ::testing::Test {};
using ScoreTypes = ::testing::Types<float, double>;
TYPED_TEST_SUITE(SortedScoresOf, ScoreTypes);

TYPED_TEST(SortedScoresOf, KeysRiseWithTheScore) {
  using Limits = std::numeric_limits<TypeParam>;
  const std::vector<TypeParam> rising{
      Limits::lowest(), -1, -Limits::min(), -Limits::denorm_min(), 0, Limits::denorm_min(), Limits::min(), 1, 2,
      Limits::max()};
  std::vector<typename SortedScores<TypeParam>::Key> each;
  for (const TypeParam score : rising) each.push_back(keys<TypeParam>({score}).front());
  EXPECT_TRUE(std::is_sorted(each.begin(), each.end(), std::less_equal<>()));
  EXPECT_LT(each.back(), SortedScores<TypeParam>::kEnd);
}

TYPED_TEST(SortedScoresOf, BothZerosAreOneKey) {
  EXPECT_EQ(keys<TypeParam>({TypeParam{0}}), keys<TypeParam>({-TypeParam{0}}));
}

// Above and below the size from which the radix sort is used; in the coarse sets most digits are constant and their
// passes are skipped.
TYPED_TEST(SortedScoresOf, ManyScoresSortAsStdSortDoes) {
  std::mt19937 random(5);
  for (const std::size_t size : {1u, 2u, 1023u, 1024u, 1025u, 20'000u}) {
    for (const bool coarse : {false, true}) {
      std::vector<TypeParam> scores(size);
      std::normal_distribution<TypeParam> normal;
      for (TypeParam& score : scores) score = coarse ? std::round(normal(random)) : normal(random) * 1000;
      const auto sorted = keys(scores);
      std::sort(scores.begin(), scores.end());
      for (std::size_t k = 0; k < size; ++k)
        ASSERT_EQ(sorted[k], keys<TypeParam>({scores[k]}).front()) << "size " << size << " at " << k;
    }
  }
}

// A pass may be skipped only if all keys share the digit: here one of 2000 differs, in every digit.
TYPED_TEST(SortedScoresOf, ALoneOtherScoreIsFoundWhereverItLies) {
  for (const TypeParam other : {static_cast<TypeParam>(-0.3), static_cast<TypeParam>(1.7)}) {
    std::vector<TypeParam> scores(2000, TypeParam{1});
    scores[1000] = other;
    const auto sorted = keys(scores);
    EXPECT_EQ(other < 1 ? sorted.front() : sorted.back(), keys<TypeParam>({other}).front());
    EXPECT_TRUE(std::is_sorted(sorted.begin(), sorted.end()));
  }
}

TYPED_TEST(SortedScoresOf, RefuseAnEmptySideByName) {
  EXPECT_THAT(refusal<TypeParam>({}, Side::id), HasSubstr("in-distribution (id) scores: there are none"));
  EXPECT_THAT(refusal<TypeParam>({}, Side::ood), HasSubstr("out-of-distribution (ood) scores: there are none"));
}

TYPED_TEST(SortedScoresOf, RefuseNanAndInfinitySayingWhichAndWhere) {
  const TypeParam infinity = std::numeric_limits<TypeParam>::infinity();
  const TypeParam nan = std::numeric_limits<TypeParam>::quiet_NaN();
  EXPECT_THAT(refusal<TypeParam>({1, nan, infinity}, Side::id), HasSubstr("(id) scores: value nan at index 1 of 3"));
  EXPECT_THAT(refusal<TypeParam>({infinity, 1}, Side::ood), HasSubstr("(ood) scores: value inf at index 0 of 2"));
  EXPECT_THAT(refusal<TypeParam>({1, 2, -infinity}, Side::id), HasSubstr("value -inf at index 2 of 3"));
  std::vector<TypeParam> many(5000, TypeParam{1});
  many[4999] = -nan;
  EXPECT_THAT(refusal(many, Side::id), HasSubstr("at index 4999 of 5000"));
}

}  // namespace
}  // namespace nearfar
