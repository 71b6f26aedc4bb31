#include "config/sweep.h"

#include "base/text.h"
#include "config/condition.h"
#include "config_files.h"

#include <sys/resource.h>

#include <map>

namespace nearfar {
namespace {

/// "losses=ce;train.lr=0.1", one a point, in order.
std::vector<std::string> points_of(const Experiment& experiment) {
  std::vector<std::string> all;
  for (const Point& point : experiment.points) {
    std::vector<std::string> parts;
    for (const Factor& factor : point.settings)
      parts.push_back(factor.name + "=" +
                      std::visit(
                          [](const auto& held) -> std::string {
                            using T = std::decay_t<decltype(held)>;
                            if constexpr (std::is_same_v<T, std::string>) return held;
                            if constexpr (std::is_same_v<T, bool>) return held ? "true" : "false";
                            if constexpr (std::is_arithmetic_v<T>) return number_text(static_cast<double>(held));
                          },
                          factor.value));
    all.push_back(join(parts, " "));
  }
  return all;
}

using Texts = std::vector<std::string>;

class SweepTest : public testing::ConfigFiles {
 protected:
  static constexpr const char* kBase =
      "benchmark = 'smoke'\nlosses = ['ce']\npostprocessors = ['msp', 'knn']\nseeds = [0, 1]\n[train]\nlr = 0.1\n";
  Experiment swept(const std::string& sweep, const std::vector<std::string>& overrides = {}) const {
    return load(kBase + sweep, overrides);
  }
  std::string swept_refusal(const std::string& sweep, const std::vector<std::string>& overrides = {}) const {
    return refusal(kBase + sweep, overrides);
  }
};

TEST_F(SweepTest, WithoutAxesThereAreNoPoints) {
  EXPECT_TRUE(swept("").points.empty());
  EXPECT_TRUE(load("benchmark = 'smoke'\n[sweep.replicates]\nseed = [3]\n").points.empty());
}

TEST_F(SweepTest, AGridIsEveryCombination) {
  const Experiment e = swept("[sweep.axes]\n'train.lr' = [0.1, 0.2]\nlosses = ['ce', 'supcon']\n");
  EXPECT_EQ(e.sweep, "grid");
  EXPECT_EQ(points_of(e), (Texts{"loss=ce train.lr=0.1", "loss=ce train.lr=0.2", "loss=supcon train.lr=0.1",
                                 "loss=supcon train.lr=0.2"}));
  EXPECT_EQ(e.points[3].experiment.losses.at(0).name, "supcon");
  EXPECT_EQ(e.points[3].experiment.losses.at(0).recipe.learning_rate, 0.2);
  EXPECT_EQ(e.points[3].experiment.seeds, (std::vector<std::int64_t>{0, 1}));
  EXPECT_TRUE(e.points[3].experiment.points.empty());
}

TEST_F(SweepTest, AxesMayBeSectionsRangesOrLists) {
  EXPECT_EQ(points_of(swept("[sweep.axes.train]\nlr = { range = [0.05, 0.15], step = 0.05 }\n")),
            (Texts{"train.lr=0.05", "train.lr=0.1", "train.lr=0.15"}));
  EXPECT_EQ(points_of(swept("[sweep.axes]\ntrain.epochs = { range = [2, 4] }\n")),
            (Texts{"train.epochs=2", "train.epochs=3", "train.epochs=4"}));
  EXPECT_EQ(points_of(swept("[sweep.axes]\nlosses = [['ce', 'supcon'], 'logitnorm']\n")),
            (Texts{"loss=ce,supcon", "loss=logitnorm"}));
}

TEST_F(SweepTest, AnAblationIsTheBaselineAndOneChangeAtATime) {
  EXPECT_EQ(
      points_of(swept("[sweep]\nmode = 'ablation'\n[sweep.axes]\n'train.lr' = [0.1, 0.2]\n'train.momentum' = [0.8, "
                      "0.9]\n'postprocessor.knn.k' = [5]\n")),
      (Texts{"", "postprocessor.knn.k=5", "train.lr=0.2", "train.momentum=0.8"}));
}

TEST_F(SweepTest, ZipGoesThroughAxesTogether) {
  const std::string zip = "[sweep]\nmode = 'zip'\n[sweep.axes]\n'train.lr' = [0.1, 0.2]\n";
  EXPECT_EQ(points_of(swept(zip + "'train.epochs' = [5, 6]\n")),
            (Texts{"train.epochs=5 train.lr=0.1", "train.epochs=6 train.lr=0.2"}));
  EXPECT_EQ(
      swept_refusal(zip + "'train.epochs' = [5]\n"),
      "experiment.toml:10:14: mode = \"zip\" takes axes of one length: 'train.epochs' has 1 values, 'train.lr' has 2");
}

TEST_F(SweepTest, RandomDrawsAreDifferentAndTheSameForASeed) {
  const std::string random =
      "[sweep]\nmode = 'random'\nsamples = 40\nseed = 3\n[sweep.axes]\n'train.lr' = { between = [1e-4, "
      "1.0], log = true }\n'train.epochs' = { between = [3, 5] }\n";
  const Texts once = points_of(swept(random)), again = points_of(swept(random)),
              other = points_of(swept(random, {"sweep.seed=4"}));
  EXPECT_EQ(once.size(), 40U);
  EXPECT_EQ(std::set<std::string>(once.begin(), once.end()).size(), 40U);
  EXPECT_EQ(once, again);
  EXPECT_NE(once, other);
  std::map<std::int64_t, int> epochs;
  int small = 0;
  for (const Point& point : swept(random).points) {
    ++epochs[point.experiment.train.epochs];
    small += point.experiment.train.learning_rate < 0.01 ? 1 : 0;
    EXPECT_GE(point.experiment.train.learning_rate, 1e-4);
    EXPECT_LE(point.experiment.train.learning_rate, 1.0);
  }
  EXPECT_EQ(epochs.size(), 3U);  // both ends included
  EXPECT_GT(small, 10);          // half of the decades
  EXPECT_LT(small, 30);
  // Of six combinations no more than six come.
  EXPECT_EQ(
      swept("[sweep]\nmode = 'random'\nsamples = 9\n[sweep.axes]\n'train.lr' = [1, 2, 3]\n'train.epochs' = [1, 2]\n")
          .points.size(),
      6U);
}

TEST_F(SweepTest, ListedPointsGoWithAxes) {
  EXPECT_EQ(points_of(swept(
                "[sweep]\nmode = 'list'\n[[sweep.points]]\nlosses = 'ce'\n'train.lr' = 0.3\n[[sweep.points]]\nlosses "
                "= 'supcon'\n[sweep.axes]\n'train.epochs' = [1, 2]\n")),
            (Texts{"loss=ce train.epochs=1 train.lr=0.3", "loss=ce train.epochs=2 train.lr=0.3",
                   "loss=supcon train.epochs=1", "loss=supcon train.epochs=2"}));
}

TEST_F(SweepTest, AConditionKeepsAnAxisFromOtherPoints) {
  EXPECT_EQ(points_of(swept(
                "[sweep.axes]\nlosses = ['ce', 'supcon']\n'loss.supcon.temperature' = { values = [0.1, 0.2], when = "
                "'losses == \"supcon\"' }\n")),
            (Texts{"loss=ce", "loss.supcon.temperature=0.1 loss=supcon", "loss.supcon.temperature=0.2 loss=supcon"}));
}

TEST_F(SweepTest, ExclusionsAreCounted) {
  const Experiment e = swept(
      "[sweep.axes]\nlosses = ['ce', 'supcon', 'logitnorm']\n'train.lr' = [0.1, 0.2]\n"
      "[[sweep.exclude]]\nlosses = ['ce', 'logitnorm']\n'train.lr' = 0.2\n[[sweep.exclude]]\nwhen = 'losses == supcon "
      "and train.lr < 0.15'\n");
  EXPECT_EQ(points_of(e), (Texts{"loss=ce train.lr=0.1", "loss=supcon train.lr=0.2", "loss=logitnorm train.lr=0.1"}));
  ASSERT_EQ(e.excluded.size(), 2U);
  EXPECT_EQ(e.excluded[0].second, 2);
  EXPECT_EQ(e.excluded[1].second, 1);
  EXPECT_EQ(without_folder(e.excluded[1].first), "experiment.toml:13:1");
}

TEST_F(SweepTest, AnExclusionLooksAtEachLossOfAList) {
  const Experiment e = load(
      "benchmark = 'smoke'\nlosses = ['ce', 'supcon']\n[sweep.axes]\n'train.lr' = [1, "
      "2]\n[[sweep.exclude]]\nlosses = 'ce'\n'train.lr' = 2\n");
  EXPECT_EQ(points_of(e), (Texts{"loss=ce train.lr=1", "loss=supcon train.lr=1", "loss=supcon train.lr=2"}));
}

TEST_F(SweepTest, ARecipeIsComposedAsIfItWereExtended) {
  write("recipes/slow.toml", "recipe = 'slow'\n[train]\nlr = 0.7\nepochs = 90\n");
  write("recipes/fast.toml", "recipe = 'fast'\n[train]\nlr = 0.8\nepochs = 9\n[loss.ce.train]\nmomentum = 0.5\n");
  const Experiment e =
      load_experiment({write("experiments/x.toml", std::string(kBase) + "[sweep.axes]\nrecipe = ['slow', 'fast']\n")},
                      {"train.weight_decay=0.25"});
  ASSERT_EQ(e.points.size(), 2U);
  const TrainRecipe &slow = e.points[0].experiment.losses[0].recipe, &fast = e.points[1].experiment.losses[0].recipe;
  EXPECT_EQ(slow.epochs, 90);
  EXPECT_EQ(fast.epochs, 9);
  EXPECT_EQ(slow.learning_rate, 0.1);  // the experiment's own wins
  EXPECT_EQ(slow.weight_decay, 0.25);  // and an override
  EXPECT_EQ(fast.momentum, 0.5);
  EXPECT_EQ(e.points[1].experiment.recipe, "fast");
  try {
    load_experiment({write("experiments/y.toml", std::string(kBase) + "[sweep.axes]\nrecipe = 'fats'\n")});
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("there is no recipe 'fats'; did you mean 'fast'?; there are: fast, slow"),
              std::string::npos)
        << error.what();
  }
}

TEST_F(SweepTest, ACommandLineAddsAndFixesAxes) {
  EXPECT_EQ(points_of(swept("", {"train.lr=0.1,0.2"})), (Texts{"train.lr=0.1", "train.lr=0.2"}));
  EXPECT_EQ(points_of(swept("", {"train.epochs=range(5, 15, 5)"})),
            (Texts{"train.epochs=5", "train.epochs=10", "train.epochs=15"}));
  EXPECT_EQ(points_of(swept("", {"benchmark=smoke", "losses=ce,supcon", "postprocessor.knn.k=5,10"})),
            (Texts{"postprocessor.knn.k=5", "postprocessor.knn.k=10"}));  // a list key's comma separates its elements
  const std::string axes = "[sweep.axes]\n'train.lr' = [0.1, 0.2]\ntrain.epochs = [1, 2]\n";
  EXPECT_EQ(points_of(swept(axes, {"train.lr=0.5"})), (Texts{"train.epochs=1", "train.epochs=2"}));
  EXPECT_EQ(swept(axes, {"train.lr=0.5"}).points[1].experiment.train.learning_rate, 0.5);
  EXPECT_TRUE(swept(axes, {"train.lr=0.5", "train.epochs=3"}).points.empty());
  EXPECT_EQ(points_of(swept(axes, {"train.lr=7,8", "train.epochs=3"})), (Texts{"train.lr=7", "train.lr=8"}));
  EXPECT_EQ(swept("", {"data.root=/a,b"}).data_root, "/a,b");
  EXPECT_EQ(swept("", {"train.trainable=\"a,b\""}).train.trainable, "a,b");
}

TEST_F(SweepTest, WhatItsPointsComeToIsStored) {
  write("recipes/fast.toml", "[train]\nepochs = 9\n");
  const Experiment e = load_experiment(
      {write("experiments/x.toml", std::string(kBase) + "[sweep]\nmode = 'list'\n[[sweep.points]]\nlosses = "
                                                        "'supcon'\n[[sweep.points]]\nrecipe = 'fast'\n'train.lr' = 3\n"
                                                        "[sweep.axes]\n'postprocessor.knn.k' = [5, 6]\n")});
  std::filesystem::remove_all(folder_.path() / "recipes");
  const Experiment again = load_composed_experiment(e.composed, e.profile);
  EXPECT_EQ(points_of(again), points_of(e));
  EXPECT_EQ(again.canonical, e.canonical);
  EXPECT_EQ(again.sweep, "list");
  ASSERT_EQ(again.points.size(), 4U);
  EXPECT_EQ(again.points[2].experiment.train.epochs, 9);
  EXPECT_EQ(again.points[0].experiment.train.epochs, e.points[0].experiment.train.epochs);
}

TEST_F(SweepTest, AnotherOrderIsTheSameExperiment) {
  const Experiment a = swept("[sweep.axes]\n'train.lr' = [0.1, 0.2]\n"),
                   b = swept("[sweep.axes]\n'train.lr' = [0.2, 0.1]\n"),
                   c = swept("[sweep.axes]\n'train.lr' = [0.2, 0.3]\n");
  EXPECT_EQ(a.hash, b.hash);
  EXPECT_NE(a.hash, c.hash);
}

TEST_F(SweepTest, ABigSweepIsRefusedBeforeItIsMade) {
  const std::string million =
      "[sweep.axes]\n'train.lr' = { range = [1, 1000] }\n'train.epochs' = { range = [1, 1000] }\n";
  rusage before{}, after{};
  ::getrusage(RUSAGE_SELF, &before);
  EXPECT_EQ(
      swept_refusal(million),
      "experiment.toml:7:1: this sweep has 1000000 combinations of train.epochs (1000) x train.lr (1000): at most "
      "10000 cells are planned. Take fewer values, mode = \"random\" with samples = N, or raise --max-cells");
  EXPECT_NE(swept_refusal(million + "[[sweep.exclude]]\n'train.lr' = 1\n").find("more than 10000 combinations"),
            std::string::npos);
  ::getrusage(RUSAGE_SELF, &after);
  EXPECT_LT(after.ru_maxrss - before.ru_maxrss, 100 * 1024);
  // 2,000 points of two seeds and two methods: 12,000 cells.
  EXPECT_NE(swept_refusal("[sweep.axes]\n'train.lr' = { range = [1, 2000] }\n").find("12000 cells in 2000 points"),
            std::string::npos);
  EXPECT_EQ(
      load_experiment({write("many.toml", std::string(kBase) + "[sweep.axes]\n'train.lr' = { range = [1, 2000] }\n")},
                      {}, 12000)
          .points.size(),
      2000U);
}

TEST_F(SweepTest, MistakesAreNamedWhereTheyAre) {
  const std::string axes = "[sweep.axes]\n";
  EXPECT_EQ(swept_refusal(axes + "'train.lr' = []\n"),
            "experiment.toml:8:14: the axis 'train.lr' is empty; give it a value, or leave it out");
  EXPECT_EQ(swept_refusal(axes + "'train.lr' = [1]\ntrain.lr = [2]\n"),
            "experiment.toml:8:1: the axis 'train.lr' is set twice: here and at experiment.toml:9:12");
  EXPECT_EQ(swept_refusal(axes + "'train.lr' = [1, 2, 1]\n"),
            "experiment.toml:8:21: 1 stands twice in the axis 'train.lr'");
  EXPECT_EQ(swept_refusal(axes + "'trian.lr' = [1]\n"),
            "experiment.toml:8:1: 'trian.lr' cannot be an axis of a sweep: there is no such key; axes are benchmark, "
            "model.name, losses, postprocessors, recipe, tune, train., loss.NAME., postprocessor.NAME.");
  EXPECT_NE(swept_refusal(axes + "'train.lrr' = [1]\n").find("did you mean 'lr'?"), std::string::npos);
  EXPECT_EQ(swept_refusal(axes + "seeds = [1]\n"),
            "experiment.toml:8:1: 'seeds' cannot be an axis of a sweep: seeds are replicates: they are averaged, never "
            "compared");
  EXPECT_EQ(swept_refusal(axes + "device = ['cpu']\n"),
            "experiment.toml:8:1: 'device' cannot be an axis of a sweep: it belongs to the whole experiment");
  EXPECT_EQ(swept_refusal(axes + "'train.lr' = { values = [1], when = 'loses == ce' }\n"),
            "experiment.toml:8:37: the condition names 'loses', which is no axis of this sweep and no key of this "
            "experiment; "
            "did you mean 'losses'?");
  EXPECT_EQ(swept_refusal(axes + "'train.lr' = { values = [1], when = 'losses ==' }\n"),
            "experiment.toml:8:37: the condition 'losses ==' wants a value at its end");
  EXPECT_NE(swept_refusal(axes + "'train.lr' = { values = [1], when = 'train.epochs == 1' }\n'train.epochs' = { values "
                                 "= [1], when = 'train.lr == 1' }\n")
                .find("wait for each other"),
            std::string::npos);
  EXPECT_EQ(swept_refusal(axes + "losses = ['ce']\n[[sweep.exclude]]\nlosses = 'ce'\n"),
            "experiment.toml:7:1: conditions and exclusions leave no point of this sweep");
  EXPECT_EQ(swept_refusal("[sweep]\nmode = 'gird'\n"),
            "experiment.toml:8:8: 'mode' in [sweep] takes grid or ablation or zip or random or list, found 'gird'; did "
            "you mean 'grid'?");
  EXPECT_EQ(swept_refusal("[sweep]\nmode = 'random'\n[sweep.axes]\n'train.lr' = [1]\n"),
            "experiment.toml:8:8: mode = \"random\" wants samples = N");
  EXPECT_EQ(swept_refusal("[sweep]\nmode = 'grid'\nsample = 3\n"),
            "experiment.toml:9:1: unknown key 'sample' in [sweep]; did you mean 'samples'?");
  EXPECT_EQ(swept_refusal("", {"train.lr=1,,2"}),
            "override 'train.lr=1,,2': a value of this axis is empty; write it as a,b,c, or one text in quotes");
}

TEST(Condition, FollowsItsGrammar) {
  const std::map<std::string, Value> values{{"train.lr", parse_argument("0.1", "")},
                                            {"losses", parse_argument("[\"ce\", \"sup-con\"]", "")},
                                            {"flip", parse_argument("true", "")}};
  const auto holds = [&](const char* text) {
    return Condition(text, "here").holds([&](const std::string& key) {
      const auto found = values.find(key);
      return found == values.end() ? nullptr : &found->second;
    });
  };
  for (const char* text :
       {"train.lr == 0.1", "train.lr <= 0.1", "train.lr in [1, 0.1]", "losses == ce", "losses == \"sup_con\"",
        "losses == 'ce'", "flip == true", "not train.lr > 0.1", "train.lr == 1 or flip == true and losses == ce",
        "absent != 1", "not absent == 1", "not (train.lr == 1 or flip == false)", "train.lr > -1", "train.lr < 1e3"})
    EXPECT_TRUE(holds(text)) << text;
  for (const char* text : {"train.lr == 1", "train.lr > 0.1", "losses == supcon2", "losses != ce", "absent > 1",
                           "flip == false", "(train.lr == 1 or flip == true) and losses == cider", "losses < 3"})
    EXPECT_FALSE(holds(text)) << text;
  const auto refusal = [](const char* text) {
    try {
      Condition(text, "here");
    } catch (const Error& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  EXPECT_EQ(refusal(""), "here: the condition '' wants a key like train.lr at its end");
  EXPECT_EQ(refusal("a = 1"), "here: the condition 'a = 1' wants ==, !=, <, <=, >, >= or in after 'a' before '= 1'");
  EXPECT_EQ(refusal("(a == 1"), "here: the condition '(a == 1' wants ')' at its end");
  EXPECT_EQ(refusal("a in 1"), "here: the condition 'a in 1' wants a list like [1, 2] after 'in' before '1'");
  EXPECT_EQ(refusal("a == 1 b"), "here: the condition 'a == 1 b' wants the end, 'and' or 'or' before 'b'");
  EXPECT_EQ(refusal("a == 'x"), "here: the condition 'a == 'x' wants the other quote of this text before ''x'");
  EXPECT_EQ(refusal("a < x"), "here: the condition 'a < x' wants a number before this place");
  EXPECT_EQ(Condition("a == 1 and b == 2 or a > 3", "here").keys(), (Texts{"a", "b"}));
}

}  // namespace
}  // namespace nearfar
