#include "config/halving.h"

#include "base/text.h"
#include "config_files.h"

#include <fmt/format.h>

#include <cmath>
#include <limits>

namespace nearfar {
namespace {

/// "27x4 9x12": trials x epochs.
std::string rounds_of(std::int64_t first_epochs, double keep, std::int64_t trials, std::int64_t epochs) {
  Halving halving;
  halving.first_epochs = first_epochs;
  halving.keep = keep;
  std::vector<std::string> rounds;
  for (const HalvingRound& round : halving_rounds(halving, trials, epochs))
    rounds.push_back(fmt::format("{}x{}", round.trials, round.epochs));
  return join(rounds, " ");
}

TEST(HalvingRounds, EpochsGrowByAboutOneOverKeep) {
  // ln(100 / 4) / ln(1 / 0.33) = 2.90: three steps, each by 25^(1/3) = 2.924; 27 * 0.33 = 8.91, 9 * 0.33 = 2.97.
  EXPECT_EQ(rounds_of(4, 0.33, 27, 100), "27x4 9x12 3x34 1x100");
  // Exact powers: 2, 4, 8, 16 epochs.
  EXPECT_EQ(rounds_of(2, 0.5, 8, 16), "8x2 4x4 2x8 1x16");
  // ln 2 / ln 3 = 0.63: one step; 6 / 3 = 2.
  EXPECT_EQ(rounds_of(1, 1.0 / 3, 6, 2), "6x1 2x2");
}

TEST(HalvingRounds, ThereAreAlwaysTwo) {
  // ln(5 / 4) / ln 100 = 0.05 would be no step.
  EXPECT_EQ(rounds_of(4, 0.01, 300, 5), "300x4 3x5");
}

TEST(HalvingRounds, OneNumberOfEpochsIsOneRound) {
  // ln 3 / ln(1 / 0.9) = 10.4: ten steps by 3^(1/10) = 1.116, rounded 1 1 1 1 2 2 2 2 2 3 3.
  EXPECT_EQ(rounds_of(1, 0.9, 100, 3), "100x1 90x2 81x3");
}

TEST(HalvingRounds, ATrialThatIsAloneGoesToTheEndAtOnce) {
  EXPECT_EQ(rounds_of(1, 0.25, 4, 64), "4x1 1x64");
  EXPECT_EQ(rounds_of(1, 0.25, 1, 64), "1x64");
  EXPECT_EQ(rounds_of(1, 0.1, 3, 10), "3x1 1x10") << "at least one goes on";
}

TEST(Survivors, AreTheLargestValues) {
  EXPECT_EQ(survivors({0.1, 0.9, 0.5, 0.7}, 2), (std::vector<std::size_t>{1, 3}));
  EXPECT_EQ(survivors({0.1, 0.9}, 5), (std::vector<std::size_t>{1, 0})) << "no more than there are";
}

TEST(Survivors, OfEqualOnesTheEarlierGoesOn) {
  EXPECT_EQ(survivors({0.5, 0.7, 0.5, 0.7}, 3), (std::vector<std::size_t>{1, 3, 0}));
}

TEST(Survivors, FailedTrialsAndNaNDoNotGoOn) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(survivors({std::nullopt, 0.2, nan, 0.1}, 3), (std::vector<std::size_t>{1, 3}));
  EXPECT_TRUE(survivors({std::nullopt, nan}, 1).empty());
}

class HalvingTest : public testing::ConfigFiles {
 protected:
  static constexpr const char* kSearch =
      "benchmark = 'smoke'\nlosses = ['ce', 'supcon']\npostprocessors = ['msp']\nseeds = [0, 1]\n[train]\nepochs = 9\n"
      "[sweep.halving]\nfirst_epochs = 1\n[sweep.axes]\n'train.lr' = [0.1, 0.2, 0.3]\n";
  Experiment search(const std::vector<std::string>& overrides = {}) const { return load(kSearch, overrides); }
  std::string search_refusal(const std::vector<std::string>& overrides) const { return refusal(kSearch, overrides); }
  static Experiment stored(const Experiment& experiment) {
    return load_composed_experiment(experiment.composed, experiment.profile);
  }
};

TEST_F(HalvingTest, IsReadWithTheSweep) {
  const Experiment e = search({"sweep.halving.keep=0.5", "sweep.halving.by=ood_val_auroc"});
  ASSERT_TRUE(e.halving.has_value());
  EXPECT_EQ(e.points.size(), 3U);
  EXPECT_EQ(e.halving->first_epochs, 1);
  EXPECT_EQ(e.halving->keep, 0.5);
  EXPECT_EQ(e.halving->by, "ood_val_auroc");
  EXPECT_EQ(search().halving->keep, 1.0 / 3);
  EXPECT_EQ(search().halving->by, "") << "whoever knows the losses decides";
  EXPECT_FALSE(search({"~sweep.halving"}).halving.has_value());
  EXPECT_NE(e.hash, search().hash);
}

TEST_F(HalvingTest, WhatIsShownIsReadBack) {
  const Experiment e = search({"sweep.halving.keep=0.25"}), again = load(e.composed);
  ASSERT_TRUE(again.halving.has_value());
  EXPECT_EQ(again.halving->keep, 0.25);
  EXPECT_EQ(again.hash, e.hash);
}

TEST_F(HalvingTest, RefusesWhatMakesNoRounds) {
  EXPECT_EQ(search_refusal({"sweep.halving.keep=1"}),
            "override 'sweep.halving.keep=1': 'keep' in [sweep.halving] takes a number from 0.01 to 0.9, found integer "
            "1");
  EXPECT_NE(search_refusal({"sweep.halving.by=accuracy"}).find("val_accuracy"), std::string::npos);
  EXPECT_NE(search_refusal({"sweep.halving.first_epoch=3"}).find("did you mean 'first_epochs'?"), std::string::npos);
  EXPECT_NE(search_refusal({"~sweep.halving.first_epochs"}).find("wants first_epochs = N"), std::string::npos);
  EXPECT_EQ(search_refusal({"sweep.halving.first_epochs=9"}),
            "experiment.toml:7:1: 'first_epochs' in [sweep.halving] is 9, and the last round has train.epochs = 9; "
            "expected less");
  EXPECT_NE(search_refusal({"~losses"}).find("a point of this sweep trains nothing"), std::string::npos);
  EXPECT_EQ(refusal("benchmark = 'smoke'\n[sweep.halving]\nfirst_epochs = 1\n"),
            "experiment.toml:2:1: [sweep.halving] without axes: there is nothing to choose from");
}

TEST_F(HalvingTest, RefusesAxesThatRoundsCannotCompare) {
  EXPECT_EQ(search_refusal({"train.epochs=3,4"}),
            "override 'train.epochs=3,4': 'train.epochs' cannot be an axis here: the rounds of [sweep.halving] set the "
            "epochs");
  EXPECT_EQ(refusal(std::string(kSearch) + "'postprocessor.knn.k' = [1, 2]\n").substr(0, 22), "experiment.toml:11:25:");
  EXPECT_NE(refusal(std::string(kSearch) + "benchmark = ['smoke', 'cifar10']\n").find("cannot be compared"),
            std::string::npos);
  EXPECT_EQ(refusal(std::string(kSearch) + "[loss.supcon.train]\nepochs = 9\n").substr(0, 23),
            "experiment.toml:12:10: ");
  EXPECT_TRUE(search({"loss.palm.train.epochs=3"}).halving.has_value()) << "its loss is not listed";
}

TEST_F(HalvingTest, ARoundIsAnExperimentLikeAnyOther) {
  Experiment whole = search();
  whole.halving->by = kByAccuracy;
  const Experiment round = round_experiment(whole, {{0, 2}, 3, "2 of 3"});
  ASSERT_EQ(round.points.size(), 2U);
  EXPECT_FALSE(round.halving.has_value());
  EXPECT_EQ(round.round, "2 of 3");
  EXPECT_FALSE(round.evaluate);
  EXPECT_FALSE(round.ood_val);
  for (const Point& point : round.points) {
    EXPECT_EQ(point.experiment.train.epochs, 3);
    for (const LossChoice& loss : point.experiment.losses) EXPECT_EQ(loss.recipe.epochs, 3);
  }
  EXPECT_EQ(round.points[1].experiment.train.learning_rate, 0.3);
  EXPECT_EQ(round.points[1].settings, (std::vector<Factor>{{"train.epochs", std::int64_t{3}}, {"train.lr", 0.3}}));

  const Experiment again = stored(round);
  EXPECT_EQ(again.hash, round.hash);
  EXPECT_EQ(again.round, "2 of 3");
  EXPECT_FALSE(again.halving.has_value());
  EXPECT_FALSE(again.evaluate);
  ASSERT_EQ(again.points.size(), 2U);
  EXPECT_EQ(again.points[1].settings, round.points[1].settings);
  EXPECT_EQ(again.points[1].experiment.train.epochs, 3);
}

TEST_F(HalvingTest, TheEndIsTheExperimentOfThoseThatAreLeft) {
  Experiment whole = search();
  whole.halving->by = kByOodVal;
  const Experiment end = round_experiment(whole, {{1}, 9, ""});
  EXPECT_EQ(end.round, "");
  EXPECT_TRUE(end.evaluate);
  EXPECT_TRUE(end.ood_val);
  EXPECT_EQ(stored(end).hash, end.hash);
  EXPECT_TRUE(stored(end).ood_val);
  const Experiment alone = load(kSearch, {"~sweep.halving", "sweep.axes={'train.lr' = [0.2]}"});
  EXPECT_EQ(end.hash, alone.hash) << "as if only this point had been asked for";
}

TEST_F(HalvingTest, EveryModeOfSweepsHasTrials) {
  for (const char* mode : {"ablation", "zip"})
    EXPECT_TRUE(search({std::string("sweep.mode=") + mode}).halving.has_value()) << mode;
  EXPECT_EQ(search({"sweep.mode=random", "sweep.samples=2"}).points.size(), 2U);
}

}  // namespace
}  // namespace nearfar
