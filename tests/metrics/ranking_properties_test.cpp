// Properties over random scores, coarse (many ties) and fine. RapidCheck prints the seed of a failure.
#include "metrics/naive_metrics.h"
#include "metrics/ranking.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <map>
#include <random>
#include <utility>
#include <vector>

namespace nearfar {
namespace {

using Floats = std::vector<float>;
using testing::negated;

/// 1 to about 100 scores: on a grid of 13, on a grid of 3, or anything finite.
rc::Gen<Floats> small_side() {
  const auto grid = [](int reach) {
    return rc::gen::map(rc::gen::inRange(-reach, reach + 1), [](int k) { return static_cast<float>(k) / 4; });
  };
  const auto side = [](rc::Gen<float> score) {
    return rc::gen::nonEmpty(rc::gen::container<Floats>(std::move(score)));
  };
  const auto finite = rc::gen::suchThat(rc::gen::arbitrary<float>(), [](float x) { return std::isfinite(x); });
  return rc::gen::oneOf(side(grid(6)), side(grid(1)), side(finite));
}

/// 1024 to 4000 scores, so that the radix sort is used; `steps` of them per unit, 0 = as fine as a float is.
Floats large_side(float shift, int steps) {
  std::mt19937 random(*rc::gen::arbitrary<std::uint32_t>());
  std::normal_distribution<float> normal(shift);
  Floats scores(*rc::gen::inRange<std::size_t>(1024, 4000));
  for (float& score : scores) {
    score = normal(random);
    if (steps > 0) score = std::round(score * static_cast<float>(steps)) / static_cast<float>(steps);
  }
  return scores;
}

void require_equal(const OodMetrics& a, const OodMetrics& b) {
  RC_ASSERT(a.n_id == b.n_id);
  RC_ASSERT(a.n_ood == b.n_ood);
  RC_ASSERT(a.auroc == b.auroc);
  RC_ASSERT(a.fpr95 == b.fpr95);
  RC_ASSERT(a.aupr_in == b.aupr_in);
  RC_ASSERT(a.aupr_out == b.aupr_out);
}

void require_near(const OodMetrics& a, const OodMetrics& b) {
  const auto near = [](double x, double y) { return std::abs(x - y) <= 1e-12; };
  RC_ASSERT(a.fpr95 == b.fpr95);
  RC_ASSERT(near(a.auroc, b.auroc));
  RC_ASSERT(near(a.aupr_in, b.aupr_in));
  RC_ASSERT(near(a.aupr_out, b.aupr_out));
}

RC_GTEST_PROP(RankingProperties, EqualTheDefinitionOnSmallSides, ()) {
  const Floats id = *small_side(), ood = *small_side();
  require_near(ood_metrics(id, ood), testing::naive_metrics(id, ood));
}

RC_GTEST_PROP(RankingProperties, EqualTheDefinitionInLongRunsOfEqualSteps, ()) {
  // Every value occurs as often as its place in a short pattern says: the runs that roc_curve thins out.
  const auto pattern = *rc::gen::nonEmpty<std::vector<std::pair<bool, bool>>>();
  const int repeats = *rc::gen::inRange(1, 30);
  Floats id{*rc::gen::element(-1.0f, 1e6f)}, ood{*rc::gen::element(-2.0f, 2e6f)};
  float value = 0;
  for (const auto& [in_id, in_ood] : pattern) {
    for (int k = 0; k < repeats; ++k, ++value) {
      if (in_id) id.push_back(value);
      if (in_ood) ood.push_back(value);
    }
  }
  require_near(ood_metrics(id, ood), testing::naive_metrics(id, ood));
}

TEST(RankingProperties, EqualTheDefinitionOnLargeSides) {
  rc::check([] {
    const int steps = *rc::gen::element(0, 1, 10, 1000);
    const Floats id = large_side(0, steps), ood = large_side(1, steps);
    require_near(ood_metrics(id, ood), {.n_id = id.size(),
                                        .n_ood = ood.size(),
                                        .auroc = testing::naive_auroc(id, ood),
                                        .fpr95 = testing::naive_fpr95(id, ood, true),
                                        .aupr_in = testing::naive_aupr(negated(id), negated(ood)),
                                        .aupr_out = testing::naive_aupr(ood, id)});
  });
}

RC_GTEST_PROP(RankingProperties, NegationMirrorsAuroc, ()) {
  const Floats id = *small_side(), ood = *small_side();
  RC_ASSERT(std::abs(auroc(negated(id), negated(ood)) - (1 - auroc(id, ood))) <= 1e-15);
}

RC_GTEST_PROP(RankingProperties, SwappingSidesAndSignsSwapsTheAuprs, ()) {
  const Floats id = *small_side(), ood = *small_side();
  const OodMetrics there = ood_metrics(id, ood), back = ood_metrics(negated(ood), negated(id));
  RC_ASSERT(there.auroc == back.auroc);
  RC_ASSERT(std::abs(there.aupr_in - back.aupr_out) <= 1e-12);
  RC_ASSERT(std::abs(there.aupr_out - back.aupr_in) <= 1e-12);
}

RC_GTEST_PROP(RankingProperties, OnlyTheOrderMatters, ()) {
  const Floats id = *small_side(), ood = *small_side();
  std::map<float, float> rank;  // score -> its place among the distinct scores
  for (const Floats* side : {&id, &ood}) {
    for (const float score : *side) rank[score];
  }
  float place = 0;
  for (auto& [score, value] : rank) value = place++ - 20;
  const auto ranks = [&rank](Floats scores) {
    std::transform(scores.begin(), scores.end(), scores.begin(), [&rank](float score) { return rank.at(score); });
    return scores;
  };
  require_equal(ood_metrics(id, ood), ood_metrics(ranks(id), ranks(ood)));
}

RC_GTEST_PROP(RankingProperties, PermutationChangesNothing, ()) {
  Floats id = *small_side(), ood = *small_side();
  const OodMetrics before = ood_metrics(id, ood);
  std::mt19937 random(*rc::gen::arbitrary<std::uint32_t>());
  std::shuffle(id.begin(), id.end(), random);
  std::shuffle(ood.begin(), ood.end(), random);
  require_equal(before, ood_metrics(id, ood));
}

RC_GTEST_PROP(RankingProperties, FloatsAsDoublesChangeNothing, ()) {
  const bool large = *rc::gen::weightedElement<bool>({{9, false}, {1, true}});
  const Floats id = large ? large_side(0, 0) : *small_side(), ood = large ? large_side(1, 0) : *small_side();
  require_equal(ood_metrics(id, ood),
                ood_metrics(std::vector<double>(id.begin(), id.end()), std::vector<double>(ood.begin(), ood.end())));
}

RC_GTEST_PROP(RankingProperties, AnIdSideSortedOnceServesEverySet, ()) {
  const Floats id = *small_side();
  const SortedScores<float> sorted_id(id, Side::id);
  for (int set = 0; set < 3; ++set) {
    const Floats ood = *small_side();
    const OodMetrics direct = ood_metrics(id, ood);
    require_equal(direct, ood_metrics(sorted_id, ood));
    require_equal(direct, ood_metrics(sorted_id, SortedScores<float>(ood, Side::ood)));
  }
}

}  // namespace
}  // namespace nearfar
