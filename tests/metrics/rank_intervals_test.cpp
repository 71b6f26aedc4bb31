#include "metrics/rank_intervals.h"

#include <nearfar/error.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>

namespace nearfar {
namespace {

using testing::ElementsAre;
using Scores = std::vector<double>;

RankedMethod of_seeds(Scores values) { return {.by_seed = std::move(values)}; }

/// Population variance.
double variance(std::span<const double> values) {
  const auto n = static_cast<double>(values.size());
  double mean = 0, squares = 0;
  for (const double value : values) mean += value / n;
  for (const double value : values) squares += (value - mean) * (value - mean) / n;
  return squares;
}

/// Images of which every method and seed sees its own part. Higher quality: more of the OOD images are above the ID
/// ones.
class Simulation {
 public:
  explicit Simulation(std::uint64_t seed) : random_(seed) {}

  /// New images and seeds.
  std::vector<RankedMethod> draw(const Scores& qualities, std::size_t seeds, double seed_effect,
                                 std::size_t images = 50) {
    const Scores id = normals(images), near = normals(images), far = normals(images);
    std::vector<RankedMethod> methods(qualities.size());
    for (std::size_t m = 0; m < methods.size(); ++m) {
      for (std::size_t seed = 0; seed < seeds; ++seed) {
        const double quality = qualities[m] + seed_effect * normal_(random_);
        const Scores id_scores = noisy(id, 0), near_scores = noisy(near, quality), far_scores = noisy(far, quality + 1);
        const AurocParts near_parts = auroc_parts(id_scores, std::vector<std::span<const double>>{near_scores}),
                         far_parts = auroc_parts(id_scores, std::vector<std::span<const double>>{far_scores});
        methods[m].add_seed(&near_parts, &far_parts);
      }
    }
    return methods;
  }

 private:
  Scores normals(std::size_t n) {
    Scores values(n);
    for (double& value : values) value = normal_(random_);
    return values;
  }
  Scores noisy(const Scores& base, double shift) {
    Scores values = base;
    for (double& value : values) value += shift + 0.7 * normal_(random_);
    return values;
  }
  std::mt19937_64 random_;
  std::normal_distribution<double> normal_;
};

TEST(RankIntervals, OfSeedsByHand) {
  // Two seeds are drawn as (1,1), (1,2) or (2,1), (2,2): 1/4, 1/2, 1/4. Stretched by sqrt(2): the first method has
  // 0.5 + 0.707, 0.5, 0.5 - 0.707; the second always 0.4, and is better in a quarter.
  const std::vector<RankedMethod> methods{of_seeds({1, 0}), of_seeds({0.4, 0.4}), of_seeds({-9, -9})};
  const Resampled drawn = resample(methods, {.resamples = 6400});
  EXPECT_NEAR(probability_better(drawn, 0, 1), 0.75, 4 * std::sqrt(0.75 * 0.25 / 6400));
  EXPECT_EQ(probability_better(drawn, 0, 1) + probability_better(drawn, 1, 0), 1);
  EXPECT_EQ(probability_better(drawn, 0, 2), 1);
  const std::vector<RankInterval> intervals = rank_intervals(drawn);
  const auto is = [](int rank, int low, int high) {
    return testing::AllOf(testing::Field(&RankInterval::rank, rank), testing::Field(&RankInterval::low, low),
                          testing::Field(&RankInterval::high, high));
  };
  EXPECT_THAT(intervals, ElementsAre(is(1, 1, 2), is(2, 1, 2), is(3, 3, 3)));
  EXPECT_THAT(rank_intervals(drawn, 0.4), ElementsAre(is(1, 1, 1), is(2, 2, 2), is(3, 3, 3)))
      << "30 % are cut off each end, a quarter is gone";
  // The variance of a draw is the sample variance (n - 1) over n: 0.5 / 2.
  EXPECT_NEAR(variance(drawn.of(0)), 0.25, 0.02);
}

TEST(RankIntervals, MethodsThatAreEqualShareTheBetterRank) {
  const std::vector<RankedMethod> methods{of_seeds({1, 2, 4}), of_seeds({0, 1, 1}), of_seeds({1, 2, 4})};
  const Resampled drawn = resample(methods);
  EXPECT_EQ(probability_better(drawn, 0, 2), 0.5);
  const std::vector<RankInterval> intervals = rank_intervals(drawn);
  for (const std::size_t m : {0u, 2u}) {
    EXPECT_EQ(intervals[m].rank, 1);
    EXPECT_EQ(intervals[m].high, 1);
  }
  EXPECT_EQ(intervals[1].low, 3);
}

TEST(RankIntervals, ImagesVaryAsTheFormulaSays) {
  // One seed: images alone. The variance of draws is that of the parts, near and far averaged.
  std::mt19937_64 random(4);
  std::normal_distribution<double> normal;
  const auto scores = [&](std::size_t n, double shift) {
    Scores values(n);
    for (double& value : values) value = shift + normal(random);
    return values;
  };
  const Scores id = scores(300, 0), near_a = scores(200, 0.5), near_b = scores(77, 0.7), far = scores(400, 2);
  const AurocParts near_parts = auroc_parts(id, std::vector<std::span<const double>>{near_a, near_b}),
                   far_parts = auroc_parts(id, std::vector<std::span<const double>>{far});
  RankedMethod both, near_only, far_only;
  both.add_seed(&near_parts, &far_parts);
  near_only.add_seed(&near_parts, nullptr);
  far_only.add_seed(nullptr, &far_parts);
  const double of_id = [&] {  // the ID images' share of the average's variance: halves of near and far joined
    AurocParts joined{.auroc = 0, .id = near_parts.id, .ood = {}};
    for (std::size_t i = 0; i < joined.id.size(); ++i) joined.id[i] = (near_parts.id[i] + far_parts.id[i]) / 2;
    return joined.variance();
  }();
  const AurocParts near_sets{.auroc = 0, .id = {}, .ood = near_parts.ood},
      far_sets{.auroc = 0, .id = {}, .ood = far_parts.ood};
  const double expected = of_id + near_sets.variance() / 4 + far_sets.variance() / 4;
  const RankDraws draws{.resamples = 10000};
  const auto ratio = [&](const RankedMethod& method, double formula) {
    return variance(resample(std::vector{method}, draws).of(0)) / formula;
  };
  EXPECT_NEAR(ratio(both, expected), 1, 0.06) << "four standard deviations of 10000 draws";
  EXPECT_NEAR(ratio(near_only, near_parts.variance()), 1, 0.06);
  EXPECT_NEAR(ratio(far_only, far_parts.variance()), 1, 0.06);
  EXPECT_DOUBLE_EQ(both.by_seed[0], (near_parts.auroc + far_parts.auroc) / 2);
  EXPECT_DOUBLE_EQ(near_only.by_seed[0], near_parts.auroc);
}

TEST(RankIntervals, ImagesAreSharedByMethods) {
  // A method and its copy that is a little better: on the same images it always is.
  std::vector<RankedMethod> methods = Simulation(1).draw({0.5}, 1, 0);
  methods.push_back(methods[0]);
  methods[1].by_seed[0] += 1e-9;
  EXPECT_EQ(probability_better(resample(methods), 1, 0), 1);
}

TEST(RankIntervals, DrawsDoNotDependOnThreadsOrOtherMethods) {
  const std::vector<RankedMethod> methods = Simulation(2).draw({0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1}, 3, 0.2, 300);
  const Resampled one = resample(methods, {.resamples = 200, .random = 5, .threads = 1});
  EXPECT_EQ(one.values, resample(methods, {.resamples = 200, .random = 5, .threads = 4}).values);
  EXPECT_NE(one.values, resample(methods, {.resamples = 200, .random = 6, .threads = 1}).values);
  const Resampled two = resample(std::vector{methods[5], methods[1]}, {.resamples = 70, .random = 5});
  for (std::size_t draw = 0; draw < 70; ++draw) {
    EXPECT_EQ(two.of(0)[draw], one.of(5)[draw]);
    EXPECT_EQ(two.of(1)[draw], one.of(1)[draw]);
  }
}

TEST(RankIntervals, WhatDoesNotFitIsRefused) {
  EXPECT_THROW(resample({}), Error);
  EXPECT_THROW(resample(std::vector{of_seeds({})}), Error);
  EXPECT_THROW(resample(std::vector{of_seeds({1, 2}), of_seeds({1})}), Error);
  EXPECT_THROW(resample(std::vector{of_seeds({std::numeric_limits<double>::infinity()})}), Error);
  EXPECT_THROW(resample(std::vector{of_seeds({1})}, {.resamples = 1}), Error);
  std::vector<RankedMethod> methods = Simulation(3).draw({1, 2}, 1, 0);
  EXPECT_THROW(resample(std::vector{methods[0], of_seeds({1})}), Error);
  RankedMethod broken = methods[0];
  broken.images[1][3] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_THROW(resample(std::vector{broken}), Error);
  const AurocParts parts{.auroc = 0.5, .id = Scores(50), .ood = {Scores(50)}};
  EXPECT_THROW(methods[0].add_seed(&parts, nullptr), Error) << "the seeds before have near and far";
  const AurocParts fewer{.auroc = 0.5, .id = Scores(49), .ood = {Scores(50)}};
  EXPECT_THROW(methods[0].add_seed(&parts, &fewer), Error);
  EXPECT_THROW(methods[0].add_seed(nullptr, nullptr), Error);
  RankedMethod seeds = of_seeds({1});
  EXPECT_THROW(seeds.add_seed(&parts, nullptr), Error);
  EXPECT_THROW(rank_intervals(resample(methods), 1), Error);
  EXPECT_THROW(probability_better(resample(methods), 0, 2), Error);
}

/// Share of (trial, method) whose interval has the true rank, of methods listed from the best.
double coverage(std::uint64_t random, const Scores& qualities, std::size_t seeds, double effect, int trials) {
  Simulation simulation(random);
  int hit = 0;
  for (int trial = 0; trial < trials; ++trial) {
    const std::vector<RankInterval> intervals =
        rank_intervals(resample(simulation.draw(qualities, seeds, effect), {.resamples = 200, .threads = 1}));
    for (std::size_t m = 0; m < qualities.size(); ++m) {
      const int rank = static_cast<int>(m + 1);
      hit += intervals[m].low <= rank && rank <= intervals[m].high ? 1 : 0;
    }
  }
  return hit / (trials * static_cast<double>(qualities.size()));
}

TEST(RankIntervals, HoldTheTrueRankAsOftenAsTheySay) {
  // Measured with 2000 trials: docs/comparing.md. 150 trials of 5 methods: a standard deviation of 1.0 % where methods
  // of a trial are independent, 1.8 % where they are not at all.
  const Scores qualities{1.4, 1.2, 1.0, 0.8, 0.6};
  EXPECT_GT(coverage(1, qualities, 1, 0, 150), 0.90) << "other images";
  EXPECT_GT(coverage(2, qualities, 3, 0.15, 150), 0.90) << "other seeds and images";
  EXPECT_GT(coverage(3, qualities, 10, 0.15, 150), 0.90) << "other seeds and images";
}

TEST(RankIntervals, AreNarrowWhereMethodsAreFarApart) {
  const std::vector<RankInterval> intervals =
      rank_intervals(resample(Simulation(5).draw({2, 0.5, -1}, 3, 0.05, 400), {.resamples = 200}));
  for (std::size_t m = 0; m < 3; ++m) {
    EXPECT_EQ(intervals[m].low, static_cast<int>(m + 1));
    EXPECT_EQ(intervals[m].high, static_cast<int>(m + 1));
  }
}

}  // namespace
}  // namespace nearfar
