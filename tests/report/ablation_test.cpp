/// Axes, baselines, differences and words of an ablation. Statistics: tests/metrics; forms: ablation_forms_test.cpp.
#include "report/ablation.h"

#include "base/error.h"
#include "report/ablation_sample.h"
#include "report/ablation_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace nearfar {
namespace {

using testing::ablation_of, testing::grid, testing::refusal, testing::ScoredResults, testing::setting, testing::star;
using ::testing::ElementsAre, ::testing::HasSubstr, ::testing::IsEmpty;

const AblationEffect& effect(const AblationPanel& panel, std::size_t metric, const std::string& to) {
  const auto found = std::ranges::find_if(
      panel.effects, [&](const AblationEffect& one) { return one.metric == metric && one.to == to; });
  if (found == panel.effects.end()) throw std::logic_error("no change to " + to);
  return *found;
}

std::vector<std::string> names(const AblationPanel& panel) {
  std::vector<std::string> result;
  for (const AblationAxis& axis : panel.axes) result.push_back(axis.name);
  return result;
}

std::string level(const AblationPanel& panel, std::size_t row, std::size_t axis) {
  return panel.axes[axis].values[panel.rows[row].levels[axis]];
}

TEST(Ablation, AxesAreTheFactorsThatVary) {
  const Ablation found = ablation_of(star());
  ASSERT_EQ(found.panels.size(), 1u);
  const AblationPanel& panel = found.panels[0];
  EXPECT_THAT(names(panel), ElementsAre("loss.ce.smoothing", "train.lr", "train.projection"));
  EXPECT_THAT(panel.axes[1].values, ElementsAre("0.05", "0.1", "0.5"));
  EXPECT_THAT(panel.axes[1].numbers, ElementsAre(0.05, 0.1, 0.5));
  EXPECT_THAT(panel.axes[2].numbers, IsEmpty());
  EXPECT_EQ(panel.rows.size(), 5u);
  EXPECT_THAT(panel.rows[0].seeds, ElementsAre(0, 1, 2)) << "seeds are replicates";
}

TEST(Ablation, TheBaselineIsWhatMostRowsHave) {
  const AblationPanel panel = ablation_of(star()).panels[0];
  EXPECT_EQ(level(panel, 0, 0), "0");
  EXPECT_EQ(level(panel, 0, 1), "0.1");
  EXPECT_EQ(level(panel, 0, 2), "mlp");
  EXPECT_EQ(panel.baseline_from, "the most common values");
  for (std::size_t row = 1; row < panel.rows.size(); ++row) EXPECT_EQ(panel.rows[row].changes, 1u);
}

TEST(Ablation, WhatTheSweepStartsFromComesFirst) {
  AblationRequest request;
  request.declared = {{.loss = "ce", .values = {{"train.lr", 0.5, false}}},
                      {.loss = "supcon", .values = {{"train.lr", 0.05, false}}}};
  const AblationPanel panel = ablation_of(star(), request).panels[0];
  EXPECT_EQ(level(panel, 0, 1), "0.5");
  EXPECT_EQ(panel.baseline_from, "the sweep");
}

TEST(Ablation, WhatWasTypedComesBeforeAll) {
  for (const char* typed : {"train.lr=0.05", "lr=0.050", "loss.ce.train.lr=5e-2"}) {
    AblationRequest request;
    request.baseline = {typed};
    request.declared = {{.values = {{"train.lr", 0.5, false}}}};
    const AblationPanel panel = ablation_of(star(), request).panels[0];
    EXPECT_EQ(level(panel, 0, 1), "0.05") << typed;
    EXPECT_EQ(panel.baseline_from, "--baseline");
    EXPECT_EQ(panel.effects.size(), 4u) << "two rows differ in lr alone, twice for two metrics";
  }
}

TEST(Ablation, ABaselineThatIsNotThereIsRefused) {
  const auto typed = [](std::vector<std::string> baseline) {
    AblationRequest request;
    request.baseline = std::move(baseline);
    return refusal(star(), request);
  };
  EXPECT_THAT(typed({"train.epochz=3"}), HasSubstr("no 'train.epochz' among the axes, which are: loss.ce.smoothing (0, "
                                                   "0.2); train.lr (0.05, 0.1, 0.5); train.projection (linear, mlp)"));
  EXPECT_THAT(typed({"lr=7"}), HasSubstr("no finished row has that value of 'lr'; there is 0.05, 0.1, 0.5"));
  EXPECT_THAT(typed({"lr=0.5", "projection=linear"}), HasSubstr("no finished row has all of these"));
  EXPECT_THAT(typed({"lr"}), HasSubstr("expected key=value"));
  EXPECT_THAT(typed({"seed=0"}), HasSubstr("seeds are averaged"));
  EXPECT_THAT(typed({"benchmark=tiny"}), HasSubstr("--benchmark"));
}

TEST(Ablation, DifferencesAreThoseOfCompare) {
  const ScoredResults results = star();
  const AblationPanel panel = ablation_of(results).panels[0];
  const auto scores = [&](int, const ResultSubject& subject) { return results.scores_of(subject); };
  const Comparison compared = compare_rows(results.frame(),
                                           {.a = RowChoice::from_text("lr=0.1,projection=mlp,smoothing=0"),
                                            .b = RowChoice::from_text("lr=0.5"),
                                            .resamples = 60},
                                           scores);
  ASSERT_EQ(compared.pairs.size(), 1u);
  const Difference &expected = compared.pairs[0].numbers[0].difference, &found = effect(panel, 0, "0.5").difference;
  EXPECT_EQ(found.estimate, expected.estimate);
  EXPECT_EQ(found.low, expected.low);
  EXPECT_EQ(found.high, expected.high);
  EXPECT_EQ(found.p, expected.p);
}

TEST(Ablation, HolmIsOverAllDifferencesOfAMetric) {
  const Ablation found = ablation_of(star());
  for (const std::size_t metric : {0u, 1u}) {
    std::vector<double> p, adjusted;
    for (const AblationEffect& one : found.panels[0].effects) {
      if (one.metric != metric) continue;
      p.push_back(one.difference.p);
      adjusted.push_back(one.adjusted_p);
    }
    ASSERT_EQ(p.size(), 4u);
    EXPECT_EQ(adjusted, holm(p));
  }
}

TEST(Ablation, SaysInWordsWhatIsReal) {
  const Ablation found = ablation_of(star());
  const AblationPanel& panel = found.panels[0];
  const AblationEffect &worse = effect(panel, 0, "0.5"), &same = effect(panel, 0, "linear");
  EXPECT_EQ(change_text(panel, worse), "train.lr 0.1 → 0.5");
  EXPECT_THAT(effect_text(found, worse), HasSubstr("near AUROC falls by "));
  EXPECT_THAT(effect_text(found, worse), HasSubstr(", real (p < 0.001, Holm; 3 seeds)"));
  EXPECT_EQ(verdict_text(found, worse), "real: worse");
  EXPECT_THAT(effect_text(found, same), HasSubstr("near AUROC: no difference could be shown: "));
  EXPECT_THAT(effect_text(found, same), HasSubstr(", 3 seeds"));
}

TEST(Ablation, OneSeedSaysNothingOfOthers) {
  const Ablation found = ablation_of(star({0}));
  EXPECT_THAT(effect_text(found, effect(found.panels[0], 0, "0.5")),
              HasSubstr("one seed: says nothing of other seeds"));
  ASSERT_FALSE(found.panels[0].importance.empty());
  EXPECT_THAT(found.panels[0].importance[0].low, IsEmpty());
}

TEST(Ablation, LessIsBetterIsSaid) {
  AblationRequest request;
  request.metrics = {"near.fpr95"};
  const Ablation found = ablation_of(star(), request);
  const AblationEffect& one = effect(found.panels[0], 0, "0.5");
  EXPECT_GT(one.difference.estimate, 0);
  EXPECT_EQ(one.real, one.adjusted_p < 0.05);
  EXPECT_EQ(verdict_text(found, one), "real: worse");
  request.metrics = {"near.aurocc"};
  EXPECT_THAT(refusal(star(), request), HasSubstr("did you mean 'near.auroc'?"));
}

TEST(Ablation, WhatIsNoResultOfASettingIsLeftOut) {
  ScoredResults results = star();
  results.add("ce", "knn", 0, 3, setting(0.9, "mlp", 0));
  results.last().flags = "partial";
  results.add("ce", "random", 0, 0, setting(0.1, "mlp", 0));
  const Ablation found = ablation_of(results, {}, {{"tiny", "ce/net/s1 lr=7", CellState::failed, "NaN"}});
  EXPECT_THAT(found.panels[0].axes[1].values, ElementsAre("0.05", "0.1", "0.5")) << "0.9 is partial";
  EXPECT_EQ(found.panels.size(), 1u) << "the control is no method";
  ASSERT_EQ(found.left_out.size(), 3u);
  EXPECT_THAT(found.left_out[0], HasSubstr("control"));
  EXPECT_THAT(found.left_out[1], HasSubstr("partial results"));
  EXPECT_THAT(found.left_out[2], HasSubstr("ce/net/s1 lr=7 (failed)"));
}

TEST(Ablation, NothingThatVariesIsNothing) {
  ScoredResults results;
  EXPECT_THAT(refusal(results), HasSubstr("has no finished results"));
  results.add("ce", "knn", 0, 1, setting(0.1, "mlp", 0));
  EXPECT_THAT(refusal(results), HasSubstr("nothing varies"));
}

TEST(Ablation, WhatChangesTogetherIsOneAxis) {
  ScoredResults results;
  for (const std::int64_t seed : {0, 1}) {
    results.add("ce", "knn", seed, 1, {{"train.epochs", std::int64_t{3}}, {"train.lr", 0.1}});
    results.add("ce", "knn", seed, 2, {{"train.epochs", std::int64_t{9}}, {"train.lr", 0.5}});
  }
  EXPECT_THAT(names(ablation_of(results).panels[0]), ElementsAre("train.epochs + train.lr"));
  EXPECT_THAT(ablation_of(results).panels[0].axes[0].values, ElementsAre("3, 0.1", "9, 0.5"));
  AblationRequest drawn;
  drawn.drawn = true;
  EXPECT_THAT(names(ablation_of(results, drawn).panels[0]), ElementsAre("train.epochs", "train.lr"));
}

TEST(Ablation, ARecipeTakesWhatItDecides) {
  ScoredResults results;
  const auto add = [&](const std::string& recipe, std::int64_t epochs, double decay, const std::string& projection) {
    results.add("ce", "knn", 0, 1,
                {{"train.epochs", epochs}, {"train.weight_decay", decay}, {"train.projection", projection}});
    results.last().recipe = recipe;
  };
  add("short", 3, 0.1, "mlp");
  add("long", 9, 0.1, "mlp");
  add("longer", 9, 0.2, "mlp");  // epochs alone do not tell the recipe
  add("short", 3, 0.1, "linear");
  EXPECT_THAT(names(ablation_of(results).panels[0]), ElementsAre("recipe", "train.projection"));
}

TEST(Ablation, MethodsAreComparedAtTheirBaselines) {
  ScoredResults results = star();
  for (const std::int64_t seed : {0, 1, 2}) {
    results.add("supcon", "knn", seed, 2.5, {{"train.lr", 0.5}, {"train.projection", std::string("mlp")}});
    results.add("ce", "msp", seed, 1, setting(0.1, "mlp", 0));
  }
  AblationRequest request;
  request.declared = {{.values = {{"loss", std::string("ce")}, {"postprocessor", std::string("knn")}}}};
  const Ablation found = ablation_of(results, request);
  ASSERT_EQ(found.panels.size(), 2u) << "the methods, and the settings of ce with knn";
  const AblationPanel& methods = found.panels[0];
  EXPECT_TRUE(methods.of_methods);
  EXPECT_THAT(names(methods), ElementsAre("loss", "postprocessor"));
  const AblationEffect& loss = effect(methods, 0, "supcon");
  EXPECT_EQ(loss.from, "ce");
  EXPECT_GT(loss.difference.estimate, 0);
  EXPECT_THAT(loss.also_differ, ElementsAre("train.lr 0.1, 0.5"));
  EXPECT_FALSE(found.panels[1].of_methods);
}

TEST(Ablation, AGridHasAHeatMapAndAWholeImportance) {
  const Ablation found = ablation_of(grid());
  const AblationPanel& panel = found.panels[0];
  EXPECT_EQ(panel.effects.size(), 2u * 3u) << "two other lr, one other projection, two metrics";
  ASSERT_EQ(panel.grids.size(), 2u);
  EXPECT_EQ(panel.grids[0].cells.size(), 6u);
  const AblationImportance& one = panel.importance.at(0);
  EXPECT_TRUE(one.shares.balanced);
  EXPECT_EQ(one.rows, 6u);
  EXPECT_NEAR(one.shares.shares[0] + one.shares.shares[1] + one.shares.interaction + one.shares.residual, 1, 1e-9);
  EXPECT_GT(one.shares.shares[0], one.shares.shares[1]) << "lr matters";
  EXPECT_LE(one.low[0], one.shares.shares[0] + 0.2);
  EXPECT_THAT(panel.notes, ElementsAre(HasSubstr("2 more settings differ from the baseline in more than one axis")));
  AblationRequest request;
  request.grid_axes = {"projection", "lr"};
  const AblationGrid turned = ablation_of(grid(), request).panels[0].grids.at(0);
  EXPECT_EQ(turned.x, 1u);
  EXPECT_EQ(turned.y, 0u);
  request.grid_axes = {"lr"};
  EXPECT_THAT(refusal(grid(), request), HasSubstr("expected two axes"));
  request.grid_axes = {"lr", "depth"};
  EXPECT_THAT(refusal(grid(), request), HasSubstr("'depth' names no axis; the axes are: train.lr"));
}

TEST(Ablation, OneChangeAtATimeHasNoGridAndNoInteractions) {
  const AblationPanel panel = ablation_of(star()).panels[0];
  EXPECT_THAT(panel.grids, IsEmpty());
  EXPECT_FALSE(panel.importance.at(0).shares.has_products);
}

TEST(Ablation, RowsWithoutASeedInCommonAreTold) {
  ScoredResults results = star();
  results.add("ce", "knn", 7, 1, setting(0.3, "mlp", 0));
  const AblationPanel panel = ablation_of(results).panels[0];
  EXPECT_THAT(panel.notes, ElementsAre(HasSubstr("train.lr 0.3 has no seed in common with the baseline")));
}

}  // namespace
}  // namespace nearfar
