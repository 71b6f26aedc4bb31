#include "metrics/friedman.h"

#include "support/golden.h"

#include <nearfar/error.h>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <cmath>
#include <fstream>
#include <random>

namespace nearfar {
namespace {

using nlohmann::json;
using Groups = std::vector<std::vector<std::size_t>>;

const json& oracle() {
  static const json all = json::parse(std::ifstream(testing::source_dir() / "tests/golden/statistics.json"));
  return all.at("friedman");
}

TEST(Friedman, ByHand) {
  // Ranks by set: (1, 2, 3), (1, 2, 3), (1, 3, 2), (2, 1, 3); sums 5, 8, 11. A = 4 * 14 = 56, C = 4 * 3 * 16 / 4 = 48,
  // T1 = 2 * (9 + 0 + 9) / 8 = 4.5; T2 = 3 * 4.5 / (8 - 4.5) = 13.5 / 3.5.
  const Friedman found = friedman({{9, 9, 9, 8}, {8, 8, 7, 9}, {7, 7, 8, 7}});
  EXPECT_EQ(found.mean_ranks, (std::vector{1.25, 2.0, 2.75}));
  EXPECT_DOUBLE_EQ(found.chi_square, 4.5);
  EXPECT_DOUBLE_EQ(found.f, 13.5 / 3.5);
  EXPECT_DOUBLE_EQ(found.chi_square_p, std::exp(-4.5 / 2)) << "two degrees of freedom";
  EXPECT_EQ(found.degrees, 2u);
  EXPECT_EQ(found.error_degrees, 6u);
}

TEST(Friedman, TestsAreScipysAndScikitPosthocs) {
  ASSERT_GE(oracle().size(), 3u);
  for (const json& one : oracle()) {
    const auto values = one.at("values").get<ValuesBySet>();
    const Friedman found = friedman(values);
    EXPECT_NEAR(found.chi_square, one.at("chi_square").get<double>(), 1e-10);
    EXPECT_NEAR(found.chi_square_p, one.at("chi_square_p").get<double>(), 1e-12);
    EXPECT_NEAR(found.f, one.at("f").get<double>(), 1e-9 * found.f);
    EXPECT_NEAR(found.f_p, one.at("f_p").get<double>(), 1e-12);
    EXPECT_EQ(found.mean_ranks, one.at("mean_ranks").get<std::vector<double>>());
    const PairwiseP conover = conover_holm(values), wilcoxon = wilcoxon_holm(values);
    for (std::size_t a = 0; a < values.size(); ++a) {
      for (std::size_t b = 0; b < values.size(); ++b) {
        EXPECT_NEAR(conover.at(a, b), one.at("conover_holm")[a][b].get<double>(), 1e-11);
        EXPECT_NEAR(wilcoxon.at(a, b), one.at("wilcoxon_holm")[a][b].get<double>(), 1e-11);
      }
    }
  }
}

TEST(Friedman, MethodsThatAreEqualDoNotDiffer) {
  const ValuesBySet values(3, std::vector<double>(6, 0.5));
  EXPECT_EQ(friedman(values).f_p, 1);
  EXPECT_EQ(friedman(values).chi_square_p, 1);
  EXPECT_EQ(conover_holm(values).at(0, 2), 1);
  EXPECT_EQ(wilcoxon_holm(values).at(0, 2), 1);
}

TEST(Friedman, SetsThatAllRankAlikeHaveTheirExactP) {
  const Friedman found = friedman({{3, 3, 3}, {2, 2, 2}, {1, 1, 1}});
  EXPECT_TRUE(std::isinf(found.f));
  EXPECT_NEAR(found.f_p, 1.0 / 36, 1e-15) << "the first set's order again in both others, of six orders each";
  EXPECT_EQ(conover_holm({{3, 3, 3}, {2, 2, 2}, {1, 1, 1}}).at(0, 1), 0);
}

TEST(Friedman, WhatDoesNotFitIsRefused) {
  EXPECT_THROW(friedman({}), Error);
  EXPECT_THROW(friedman({{1, 2}}), Error);
  EXPECT_THROW(friedman({{1}, {2}}), Error);
  EXPECT_THROW(friedman({{1, 2}, {2}}), Error);
  EXPECT_THROW(friedman({{1, 2}, {2, std::nan("")}}), Error);
  EXPECT_THROW(wilcoxon_holm({{1, 2}, {2}}), Error);
  EXPECT_THROW(PairwiseP(3, {0.1}), Error);
}

/// Methods 0 … n - 1, significant where the distance is at least `apart`.
PairwiseP by_distance(std::size_t methods, std::size_t apart) {
  std::vector<double> p;
  for (std::size_t a = 0; a < methods; ++a) {
    for (std::size_t b = a + 1; b < methods; ++b) p.push_back(b - a >= apart ? 0.01 : 0.5);
  }
  return {methods, p};
}

TEST(Cliques, ByHand) {
  const std::vector<double> ranks{1, 2, 3, 4};
  EXPECT_EQ(cliques(ranks, by_distance(4, 2)), (Groups{{0, 1}, {1, 2}, {2, 3}}));
  EXPECT_EQ(cliques(ranks, by_distance(4, 3)), (Groups{{0, 1, 2}, {1, 2, 3}}));
  EXPECT_EQ(cliques(ranks, by_distance(4, 4)), (Groups{{0, 1, 2, 3}}));
  EXPECT_TRUE(cliques(ranks, by_distance(4, 1)).empty());
  // By rank, not by number; 2 and 0 alone are close.
  EXPECT_EQ(cliques(std::vector<double>{2, 3, 1}, {3, {0.01, 0.5, 0.01}}), (Groups{{2, 0}}));
  // A gap inside: first and last do not differ, but one between them does from both.
  EXPECT_TRUE(cliques(std::vector<double>{1, 2, 3}, {3, {0.01, 0.5, 0.01}}).empty());
}

TEST(Cliques, AreMaximalAndHaveNoSignificantPair) {
  std::mt19937_64 random(11);
  for (int trial = 0; trial < 300; ++trial) {
    const std::size_t methods = 2 + random() % 7;
    std::vector<double> ranks, all;
    for (std::size_t m = 0; m < methods; ++m) ranks.push_back(static_cast<double>(m));
    for (std::size_t i = 0; i < methods * (methods - 1) / 2; ++i) all.push_back(random() % 3 == 0 ? 0.01 : 0.9);
    const PairwiseP p(methods, all);
    const auto whole = [&](std::size_t first, std::size_t last) {
      for (std::size_t a = first; a <= last; ++a) {
        for (std::size_t b = a + 1; b <= last; ++b) {
          if (p.at(a, b) < 0.05) return false;
        }
      }
      return true;
    };
    Groups expected;
    for (std::size_t first = 0; first < methods; ++first) {
      for (std::size_t last = first + 1; last < methods; ++last) {
        if (!whole(first, last) || (first > 0 && whole(first - 1, last)) ||
            (last + 1 < methods && whole(first, last + 1))) {
          continue;
        }
        auto& group = expected.emplace_back();
        for (std::size_t m = first; m <= last; ++m) group.push_back(m);
      }
    }
    EXPECT_EQ(cliques(ranks, p), expected) << trial;
  }
}

}  // namespace
}  // namespace nearfar
