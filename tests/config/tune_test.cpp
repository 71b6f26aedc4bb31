// `tune` and `search` of [postprocessor.NAME].
#include "config/explain.h"
#include "config_files.h"

#include <nlohmann/json.hpp>

namespace nearfar {
namespace {

class TuneTest : public testing::ConfigFiles {
 protected:
  static constexpr const char* kHead = "benchmark = 'smoke'\npostprocessors = ['knn']\n[postprocessor.knn]\n";
  TuneChoice tune(const std::string& lines, const std::vector<std::string>& overrides = {}) const {
    return load(kHead + lines, overrides).postprocessors.at(0).tune;
  }
  std::string tune_refusal(const std::string& lines, const std::vector<std::string>& overrides = {}) const {
    return refusal(kHead + lines, overrides);
  }
};

TEST_F(TuneTest, ReadsEveryKindOfAxis) {
  const TuneChoice choice = tune(
      "search = { trials = 50, seed = 3 }\n[postprocessor.knn.tune]\nk = { between = [1, 500] }\nalpha = { between = "
      "[1e-4, 1e-1], log = true }\nm = { range = [10, 30], step = 10 }\nvalues = [1, 2]\n");
  EXPECT_EQ(choice.mode, TuneChoice::Mode::grid);
  ASSERT_TRUE(choice.search);
  EXPECT_EQ(choice.search->trials, 50);
  EXPECT_EQ(choice.search->seed, 3);
  EXPECT_EQ(choice.axes.at("k").between, std::pair(1.0, 500.0));
  EXPECT_FALSE(choice.axes.at("k").logarithmic);
  EXPECT_TRUE(choice.axes.at("alpha").logarithmic);
  EXPECT_EQ(choice.axes.at("m").values,
            (std::vector<ParamValue>{std::int64_t{10}, std::int64_t{20}, std::int64_t{30}}));
  EXPECT_EQ(choice.axes.at("values").values, (std::vector<ParamValue>{std::int64_t{1}, std::int64_t{2}}));
}

TEST_F(TuneTest, ACommandLineSaysTheSame) {
  const TuneChoice file = tune("tune = { k = { between = [1, 500] } }\nsearch = { trials = 50 }\n");
  const TuneChoice typed =
      tune("", {"postprocessor.knn.tune={k={between=[1,500]}}", "postprocessor.knn.search.trials=50"});
  EXPECT_EQ(tune_identity(file), tune_identity(typed));
  EXPECT_EQ(tune("tune = { k = [1, 2] }\nsearch = { trials = 5, seed = 1 }\n", {"postprocessor.knn.search.seed=2"})
                .search->seed,
            2);
  EXPECT_TRUE(tune("", {"postprocessor.knn.tune=[\"k\"]", "postprocessor.knn.search.trials=5"}).axes.contains("k"));
  EXPECT_FALSE(tune("tune = { k = [1, 2] }\nsearch = { trials = 5 }\n", {"postprocessor.knn.tune=none"}).search);
  EXPECT_EQ(load(std::string(kHead) + "tune = { k = [1, 2] }\nsearch = { trials = 5 }\n",
                 {"postprocessor.knn.search.seed=0,1"})
                .points.size(),
            2U);
}

TEST_F(TuneTest, BetweenAndNamesWantSearch) {
  EXPECT_EQ(tune_refusal("tune = { k = { between = [1, 500] } }\n"),
            "experiment.toml:4:14: 'between' of the axis 'k' in [postprocessor.knn] is for points drawn at random: add "
            "search = { trials = N } beside tune, or write values, or range = [FIRST, LAST] with step");
  EXPECT_EQ(tune_refusal("tune = ['k']\n"),
            "experiment.toml:4:8: 'tune' in [postprocessor.knn] is a list; expected a grid like { k = [5, 50] }; names "
            "of parameters, as in tune = [\"k\"], go with search = { trials = N }");
  EXPECT_EQ(tune("tune = { k = { range = [1, 3] } }\n").axes.at("k").values.size(), 3U);  // a list like any other
}

TEST_F(TuneTest, RefusesWhatMakesNoSense) {
  const std::string search = "search = { trials = 5 }\n";
  EXPECT_EQ(tune_refusal(search),
            "experiment.toml:4:10: [postprocessor.knn] has 'search' and nothing to search; add tune, like tune = { k = "
            "{ between = [1, 100] } }, or leave it out");
  EXPECT_EQ(tune_refusal("tune = { k = [1] }\nsearch = { seed = 5 }\n"),
            "experiment.toml:5:10: [postprocessor.knn.search] wants trials = N: how many points are drawn");
  EXPECT_EQ(
      tune_refusal("tune = { k = [1] }\nsearch = { trials = 0 }\n"),
      "experiment.toml:5:21: 'trials' in [postprocessor.knn.search] takes an integer from 1 to 10000, found integer 0");
  EXPECT_EQ(tune_refusal("tune = { k = [1] }\nsearch = { trial = 5 }\n"),
            "experiment.toml:5:12: unknown key 'trial' in [postprocessor.knn.search]; did you mean 'trials'?");
  EXPECT_EQ(tune_refusal(search + "tune = { k = { between = [5, 1] } }\n"),
            "experiment.toml:5:26: 'between' of the axis 'k' takes [FIRST, LAST], two numbers in order");
  EXPECT_EQ(tune_refusal(search + "tune = { k = { between = [0, 1], log = true } }\n"),
            "experiment.toml:5:26: 'log' of the axis 'k' wants bounds above 0");
  EXPECT_EQ(tune_refusal(search + "tune = { k = { between = [0, inf] } }\n"),
            "experiment.toml:5:26: 'between' of the axis 'k' takes [FIRST, LAST], two numbers in order");
  EXPECT_EQ(tune_refusal(search + "tune = { k = { betwen = [0, 1] } }\n"),
            "experiment.toml:5:16: unknown key 'betwen' at the axis 'k'; did you mean 'between'?");
  EXPECT_EQ(tune_refusal(search + "tune = { k = { values = [0, 1], when = 'losses == ce' } }\n"),
            "experiment.toml:5:33: unknown key 'when' at the axis 'k'");
  EXPECT_EQ(tune_refusal("tune = { k = [[1]] }\n"),
            "experiment.toml:4:15: [postprocessor.knn]: expected a boolean, a number or text, found a list");
}

TEST_F(TuneTest, IsPartOfWhatAnExperimentIsKnownBy) {
  const auto identity = [&](const std::string& lines) { return tune_identity(tune(lines)).dump(); };
  // Grids keep the form that they had before there was anything else.
  EXPECT_EQ(identity("tune = { k = [5, 50.0], alpha = [0.5] }\n"), R"({"alpha":[0.5],"k":[5,50]})");
  EXPECT_EQ(identity("tune = 'openood'\n"), R"("openood")");
  const std::string drawn = identity("tune = { k = { between = [1, 500.0] } }\nsearch = { trials = 5 }\n");
  EXPECT_EQ(drawn, R"({"of":{"k":{"between":[1,500]}},"seed":0,"trials":5})");
  EXPECT_NE(identity("tune = { k = { between = [1, 500] } }\nsearch = { trials = 5, seed = 1 }\n"), drawn);
  EXPECT_NE(identity("tune = { k = { between = [1, 500], log = true } }\nsearch = { trials = 5 }\n"), drawn);
  EXPECT_NE(load(kHead + std::string("tune = { k = [1, 2] }\nsearch = { trials = 5 }\n")).hash,
            load(kHead + std::string("tune = { k = [1, 2] }\n")).hash);
}

TEST_F(TuneTest, ComesBackFromAStoredExperiment) {
  const Experiment once =
      load(kHead + std::string("tune = { k = { between = [1, 500], log = true } }\nsearch = { trials = 5 }\n"));
  EXPECT_EQ(load_composed_experiment(once.composed, once.profile).hash, once.hash);
}

TEST_F(TuneTest, IsExplained) {
  const auto file =
      write("experiment.toml",
            std::string(kHead) + "tune = { k = { between = [1, 500], log = true } }\nsearch = { trials = 5 }\n");
  const Explanation trials = explain({file}, {"postprocessor.knn.search.trials=9"}, "postprocessor.knn.search.trials");
  ASSERT_EQ(trials.origins.size(), 2U);
  EXPECT_EQ(trials.origins[0].value, "5");
  EXPECT_EQ(trials.origins[1].value, "9");
  EXPECT_EQ(explain({file}, {}, "postprocessor.knn.tune").origins.at(0).value, "k: {between: 1,500,log: true}");
}

}  // namespace
}  // namespace nearfar
