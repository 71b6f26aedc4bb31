/// Against scipy and sums by the definition (tools/make_statistics_golden.py), and by simulation.
#include "metrics/difference.h"

#include "metrics/auroc_parts.h"
#include "metrics/bootstrap.h"
#include "metrics/ranking.h"
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
using Scores = std::vector<double>;

const json& oracle() {
  static const json all = json::parse(std::ifstream(testing::source_dir() / "tests/golden/statistics.json"));
  return all;
}

std::vector<std::span<const double>> spans(const std::vector<Scores>& sets) { return {sets.begin(), sets.end()}; }

AurocParts parts_of(const json& one, std::size_t method) {
  const auto id = one.at("id").at(method).get<Scores>();
  const auto ood = one.at("ood").at(method).get<std::vector<Scores>>();
  return auroc_parts(id, spans(ood));
}

TEST(AurocParts, VariancesAreThoseOfTheDefinition) {
  for (const json& one : oracle().at("auroc")) {
    for (const std::size_t method : {0u, 1u}) {
      const AurocParts parts = parts_of(one, method);
      EXPECT_NEAR(parts.auroc, one.at("auroc").at(method).get<double>(), 1e-13);
      EXPECT_NEAR(parts.variance(), one.at("variance").at(method).get<double>(), 1e-13);
    }
    AurocParts difference = parts_of(one, 1);
    difference.add(parts_of(one, 0), -1);
    EXPECT_NEAR(difference.variance(), one.at("difference_variance").get<double>(), 1e-13);
  }
}

TEST(AurocParts, AMethodDoesNotDifferFromItself) {
  AurocParts difference;
  difference.add(parts_of(oracle().at("auroc")[1], 0), 1);
  difference.add(parts_of(oracle().at("auroc")[1], 0), -1);
  EXPECT_EQ(difference.auroc, 0);
  EXPECT_EQ(difference.variance(), 0);
}

TEST(AurocParts, OtherImagesAndNoNumbersAreRefused) {
  AurocParts parts = parts_of(oracle().at("auroc")[0], 0);
  EXPECT_THROW(parts.add(parts_of(oracle().at("auroc")[1], 0), 1), Error);
  const Scores good{1, 2}, bad{1, std::nan("")};
  const std::vector<std::span<const double>> sets{good}, bad_sets{bad};
  EXPECT_THROW(auroc_parts(bad, sets), Error);
  EXPECT_THROW(auroc_parts(good, bad_sets), Error);
  EXPECT_THROW(auroc_parts(good, {}), Error);
  EXPECT_THROW(auroc_parts({}, sets), Error);
}

TEST(Difference, OfSeedsIsThePairedTTest) {
  for (const json& one : oracle().at("t")) {
    const auto found = paired_difference(one.at("differences").get<Scores>(), 0, one.at("alpha").get<double>());
    EXPECT_NEAR(found.estimate, one.at("estimate").get<double>(), 1e-13);
    EXPECT_NEAR(found.low, one.at("low").get<double>(), 1e-11);
    EXPECT_NEAR(found.high, one.at("high").get<double>(), 1e-11);
    EXPECT_NEAR(found.p, one.at("p").get<double>(), 1e-12);
  }
}

TEST(Difference, OfOneSeedIsThatOfItsImages) {
  const json& one = oracle().at("normal");
  const Scores estimate{one.at("estimate").get<double>()};
  const Difference found = paired_difference(estimate, one.at("variance").get<double>());
  EXPECT_NEAR(found.low, one.at("low").get<double>(), 1e-13);
  EXPECT_NEAR(found.high, one.at("high").get<double>(), 1e-13);
  EXPECT_NEAR(found.p, one.at("p").get<double>(), 1e-13);
}

TEST(Difference, WithoutAnyVarianceIsItself) {
  EXPECT_EQ(paired_difference(Scores{0, 0}, 0).p, 1);
  const Difference real = paired_difference(Scores{0.5, 0.5}, 0);
  EXPECT_EQ(real.p, 0);
  EXPECT_EQ(real.low, 0.5);
  EXPECT_THROW(paired_difference({}, 1), Error);
  EXPECT_THROW(paired_difference(Scores{std::nan("")}, 1), Error);
}

TEST(Difference, WilcoxonsTestIsScipys) {
  for (const json& one : oracle().at("wilcoxon")) {
    const SignedRank found = wilcoxon(one.at("differences").get<Scores>());
    EXPECT_EQ(found.w, one.at("w").get<double>());
    EXPECT_NEAR(found.p, one.at("p").get<double>(), 1e-12) << one.dump();
  }
  EXPECT_EQ(wilcoxon(Scores{0, 0, 0}).p, 1);
  EXPECT_EQ(wilcoxon(Scores{1, 2, 3, 4, 5}).p, 2.0 / 32) << "five agree: never below 5 %";
  EXPECT_EQ(wilcoxon(Scores{1, 2, 3, 4, 5, 6}).p, 2.0 / 64);
}

TEST(Difference, HolmByHand) {
  EXPECT_EQ(holm(Scores{0.01, 0.04, 0.03, 0.005}), (Scores{0.03, 0.06, 0.06, 0.02}));
  EXPECT_EQ(holm(Scores{0.5, 0.9}), (Scores{1, 1}));
  EXPECT_TRUE(holm({}).empty());
}

/// Images of which each seed and method sees its own part; methods are equally good.
class Simulation {
 public:
  explicit Simulation(std::uint64_t seed) : random_(seed) {}
  /// Scores of `seeds` × {a, b}.
  struct Data {
    std::vector<Scores> id;
    std::vector<std::vector<Scores>> ood;
  };
  Data draw(std::size_t seeds, std::size_t n_id, const std::vector<std::size_t>& n_ood, double seed_effect) {
    const Scores id = normals(n_id);
    std::vector<Scores> ood;
    for (const std::size_t n : n_ood) ood.push_back(normals(n));
    Data data;
    for (std::size_t i = 0; i < 2 * seeds; ++i) {
      const double shift = 1 + seed_effect * normal_(random_);
      data.id.push_back(noisy(id, 0));
      data.ood.emplace_back();
      for (const Scores& set : ood) data.ood.back().push_back(noisy(set, shift));
    }
    return data;
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

/// b - a, by seed and by parts.
Difference difference_of(const Simulation::Data& data) {
  AurocParts parts;
  std::vector<double> by_seed;
  const auto seeds = static_cast<double>(data.id.size() / 2);
  for (std::size_t i = 0; i < data.id.size(); i += 2) {
    const AurocParts a = auroc_parts(data.id[i], spans(data.ood[i])),
                     b = auroc_parts(data.id[i + 1], spans(data.ood[i + 1]));
    by_seed.push_back(b.auroc - a.auroc);
    parts.add(b, 1 / seeds);
    parts.add(a, -1 / seeds);
  }
  return paired_difference(by_seed, parts.variance());
}

TEST(Difference, IntervalsMissTheTruthAsOftenAsTheySay) {
  constexpr int kTrials = 600;
  for (const std::size_t seeds : {1u, 3u, 10u}) {
    for (const double effect : {0.0, 0.3}) {
      if (seeds == 1 && effect > 0) continue;  // one seed says nothing of others
      Simulation simulation(seeds);
      int missed = 0;
      for (int i = 0; i < kTrials; ++i) {
        const Difference found = difference_of(simulation.draw(seeds, 60, {40, 50}, effect));
        missed += found.low > 0 || found.high < 0 ? 1 : 0;
        EXPECT_EQ(found.p<0.05, found.low> 0 || found.high < 0);
      }
      const double share = static_cast<double>(missed) / kTrials;
      EXPECT_LT(share, 0.075) << seeds << " seeds, effect " << effect;  // 5 % and three standard deviations of 600
      // With several seeds part of the images' share is counted twice; an interval that never misses is none.
      EXPECT_GT(share, seeds == 1 ? 0.02 : 0.0005) << seeds << " seeds, effect " << effect;
    }
  }
}

TEST(Bootstrap, AgreesWithTheFormulaOfAuroc) {
  Simulation simulation(5);
  const Simulation::Data data = simulation.draw(2, 400, {300, 200}, 0);
  std::vector<PairedScores> seeds;
  for (std::size_t i = 0; i < 4; i += 2)
    seeds.push_back({data.id[i], data.id[i + 1], spans(data.ood[i]), spans(data.ood[i + 1])});
  const double formula = difference_of(data).image_variance;
  const MetricVariances drawn = bootstrap_variances(seeds, 2000, 1);
  EXPECT_NEAR(drawn.auroc / formula, 1, 0.12);
  EXPECT_GT(drawn.fpr95, drawn.auroc) << "a single point of the curve moves more than the area";
  EXPECT_GT(drawn.aupr_in, 0);
  EXPECT_GT(drawn.aupr_out, 0);
}

TEST(Bootstrap, IsTheSameWithAnyNumberOfThreads) {
  Simulation simulation(5);
  const Simulation::Data data = simulation.draw(1, 40, {30}, 0);
  const std::vector<PairedScores> seeds{{data.id[0], data.id[1], spans(data.ood[0]), spans(data.ood[1])}};
  const MetricVariances one = bootstrap_variances(seeds, 50, 9, 1), four = bootstrap_variances(seeds, 50, 9, 4);
  EXPECT_EQ(one.fpr95, four.fpr95);
  EXPECT_EQ(one.auroc, four.auroc);
  EXPECT_NE(one.auroc, bootstrap_variances(seeds, 50, 10, 1).auroc);
}

TEST(Bootstrap, DrawnScoresKeepTheirMetric) {
  // Every image once: the metrics themselves. A method against itself: no difference at all.
  Simulation simulation(6);
  const Simulation::Data data = simulation.draw(1, 40, {30}, 0);
  const std::vector<PairedScores> same{{data.id[0], data.id[0], spans(data.ood[0]), spans(data.ood[0])}};
  const MetricVariances none = bootstrap_variances(same, 20, 1);
  EXPECT_EQ(none.auroc + none.fpr95 + none.aupr_in + none.aupr_out, 0);
  const std::vector<PairedScores> other{{data.id[0], data.ood[0][0], spans(data.ood[0]), spans(data.ood[0])}};
  EXPECT_THROW(bootstrap_variances(other, 20, 1), Error);
}

}  // namespace
}  // namespace nearfar
