/// Which cells an experiment consists of and what identifies them. Images are generated; the engine is a fake.
#include "plan/plan.h"

#include "base/error.h"
#include "base/files.h"
#include "base/text.h"
#include "plan/fake_engine.h"
#include "plan/plan_text.h"
#include "support/golden.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <map>
#include <set>

namespace nearfar {
namespace {

class PlanTest : public ::testing::Test {
 protected:
  Experiment experiment(const std::string& text, const std::vector<std::string>& overrides = {}) {
    const auto file = folder_.path() / "x.toml";
    write_file_atomic(file, text);
    return load_experiment({file}, overrides);
  }
  static Plan plan_of(const Experiment& experiment) {
    return make_plan({.experiment = experiment, .benchmark_folders = {testing::source_dir() / "configs/benchmarks"}},
                     testing::fake_engine());
  }
  Plan plan(const std::vector<std::string>& overrides = {}) { return plan_of(experiment(kSmoke, overrides)); }
  static std::set<std::string> keys(const Plan& plan) {
    std::set<std::string> all;
    for (const TrainCell& one : plan.trains) all.insert(one.cell.key);
    for (const FeaturesCell& one : plan.features) all.insert(one.cell.key);
    for (const AccuracyCell& one : plan.accuracies) all.insert(one.cell.key);
    for (const EvalCell& one : plan.evals) all.insert(one.cell.key);
    return all;
  }
  std::string refusal(const std::vector<std::string>& overrides) {
    try {
      plan(overrides);
      return "";
    } catch (const Error& error) {
      return error.what();
    }
  }

  /// A second benchmark of generated images.
  std::string other() {
    std::string text = read_file(testing::source_dir() / "configs/benchmarks/smoke.toml");
    text = replace_all(text, "name = \"smoke\"", "name = \"other\"");
    text = replace_all(text, "mean = [0.5]", "mean = [0.4]");
    write_file_atomic(folder_.path() / "other.toml", text);
    return (folder_.path() / "other.toml").string();
  }

  static constexpr const char* kSmoke =
      "name = 'x'\nrecipe = 'one'\nbenchmark = 'smoke'\nlosses = ['ce', 'supcon']\npostprocessors = ['msp', 'knn']\n"
      "[train]\nepochs = 2\n";
  TempDir folder_;
};

TEST_F(PlanTest, HasOneCellForEachPieceOfWork) {
  const Plan made = plan();
  ASSERT_EQ(made.models.size(), 2u);
  EXPECT_EQ(made.trains.size(), 2u);
  EXPECT_EQ(made.accuracies.size(), 2u);
  EXPECT_EQ(made.evals.size(), 4u);
  // train for knn, then test, near, far, control: once for each model, for all its cells together.
  std::map<std::size_t, std::vector<std::string>> sets;
  for (const FeaturesCell& one : made.features) sets[one.model].push_back(one.set);
  EXPECT_EQ(sets[0], (std::vector<std::string>{"train", "test", "near/directions", "far/blobs", "control/noise"}));
  EXPECT_EQ(sets[1], sets[0]);
  EXPECT_EQ(made.evals[2].cell.label, "supcon/resnet8/s0 msp");
  EXPECT_FALSE(made.evals[2].applicable);
  EXPECT_NE(made.evals[2].cell.reason.find("needs logits"), std::string::npos);
  EXPECT_EQ(made.cell_count(), 2 + 10 + 2 + 3);
}

TEST_F(PlanTest, WithoutEvaluationsThereAreTheSameTrainingsAlone) {
  const Plan whole = plan(), made = plan({"run.evaluate=false"});
  ASSERT_EQ(made.trains.size(), 2u);
  for (std::size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(made.trains[i].cell.key, whole.trains[i].cell.key);
    EXPECT_EQ(made.trains[i].cell.label, whole.trains[i].cell.label);
  }
  EXPECT_EQ(made.cell_count(), 2);
  EXPECT_TRUE(made.features.empty() && made.accuracies.empty() && made.evals.empty());
  EXPECT_EQ(made.benchmarks[0].manifest.hash, whole.benchmarks[0].manifest.hash) << "results are of the same data";
  EXPECT_NE(made.experiment.hash, whole.experiment.hash);
  const auto weights = folder_.path() / "weights.pt";
  write_file_atomic(weights, "x");
  EXPECT_NE(refusal({"run.evaluate=false", "model.checkpoint=" + weights.string()}).find("trains nothing"),
            std::string::npos);
}

TEST_F(PlanTest, RunOodValChangesNoKey) {
  const Plan without = plan(), with = plan({"run.ood_val=true"});
  EXPECT_EQ(keys(with), keys(without));
  EXPECT_EQ(with.benchmarks[0].manifest.hash, without.benchmarks[0].manifest.hash);
}

TEST_F(PlanTest, TrainIsNotPassedForALinearHeadAlone) {
  const Plan made = plan({"losses=ce", "postprocessors=msp"});
  for (const FeaturesCell& one : made.features) EXPECT_NE(one.set, "train");
}

TEST_F(PlanTest, TheSameExperimentHasTheSameKeysAndEachIsAHashOfItsIdentity) {
  const Plan first = plan(), second = plan();
  EXPECT_EQ(keys(first), keys(second));
  EXPECT_EQ(keys(first).size(),
            first.trains.size() + first.features.size() + first.accuracies.size() + first.evals.size());
  for (const EvalCell& eval : first.evals) EXPECT_TRUE(nlohmann::json::parse(eval.cell.identity).is_object());
}

TEST_F(PlanTest, ATrainKeyIsWhatTrainingDependsOn) {
  const auto key = [&](const std::vector<std::string>& overrides) { return plan(overrides).trains.at(0).cell.key; };
  const std::string before = key({});
  EXPECT_EQ(key({"recipe=another name"}), before);
  EXPECT_EQ(key({"postprocessors=knn"}), before);
  EXPECT_EQ(key({"train.checkpoint_every_epochs=0"}), before);
  EXPECT_EQ(key({"run.jobs=7", "run.threads=2", "name=y"}), before);
  EXPECT_NE(key({"train.epochs=1"}), before);
  EXPECT_NE(key({"seeds=1"}), before);
  EXPECT_NE(key({"run.deterministic=false"}), before);
  EXPECT_NE(key({"model.name=resnet18_32x32"}), before);
  EXPECT_NE(key({"data.limit=50"}), before);
}

TEST_F(PlanTest, WhatIsAtItsDefaultIsNoPartOfAnIdentity) {
  const auto identity = nlohmann::json::parse(plan().trains.at(0).cell.identity);
  EXPECT_EQ(identity.at("recipe").dump(), R"({"epochs":2})");
  for (const char* name : {"dtype", "deterministic", "on_unreadable", "recipe_name"})
    EXPECT_FALSE(identity.contains(name)) << name;
  EXPECT_FALSE(identity.dump().find("\"test\"") != std::string::npos) << "training does not see the test images";
  const auto knn = nlohmann::json::parse(plan().evals.at(1).cell.identity);
  EXPECT_FALSE(knn.at("postprocessor").at("plugin").contains("params"));
}

TEST_F(PlanTest, FactorsSayWhatARowIs) {
  const Plan made = plan({"losses=supcon", "loss.supcon.temperature=0.2"});
  std::map<std::string, Factor> factors;
  for (const Factor& factor : made.models.at(0).factors) factors[factor.name] = factor;
  EXPECT_EQ(factors.at("train.epochs").value, ParamValue(std::int64_t{2}));
  EXPECT_FALSE(factors.at("train.epochs").is_default);
  EXPECT_TRUE(factors.at("train.momentum").is_default);
  EXPECT_EQ(factors.at("loss.temperature").value, ParamValue(0.2));
  EXPECT_FALSE(factors.contains("train.checkpoint_every_epochs")) << "it changes no result";
}

TEST_F(PlanTest, TraitsFollowFromParameters) {
  EXPECT_FALSE(plan().models.at(1).has_classifier);
  EXPECT_TRUE(plan({"loss.supcon.temperature=9.0"}).models.at(1).has_classifier);
}

TEST_F(PlanTest, SeveralBenchmarksAndNetworksMultiply) {
  const Plan made =
      plan({"benchmarks=smoke," + other(), "models=resnet8,resnet18_32x32", "losses=ce", "seeds=0,1", "data.limit=60"});
  ASSERT_EQ(made.models.size(), 8u);
  std::set<std::string> labels;
  for (const ModelPlan& model : made.models) labels.insert(model.label);
  EXPECT_TRUE(labels.contains("smoke: ce/resnet8/s0"));
  EXPECT_TRUE(labels.contains("other: ce/resnet18_32x32/s1"));
  EXPECT_EQ(labels.size(), 8u);
  EXPECT_EQ(keys(made).size(), static_cast<std::size_t>(made.cell_count()));
  for (const EvalCell& eval : made.evals) EXPECT_LT(eval.model, made.models.size());
}

TEST_F(PlanTest, ACopyStandsByItself) {
  auto original = std::make_unique<Plan>(plan());
  const Plan copy = *original;
  const std::string before = plan_json(*original);
  original.reset();
  EXPECT_EQ(plan_json(copy), before);
}

TEST_F(PlanTest, IsMadeAgainFromWhatTheDatabaseKeeps) {
  const Plan made = plan({"benchmarks=smoke," + other(), "losses=ce", "data.limit=60", "postprocessor.knn.k=5"});
  const Experiment again = load_composed_experiment(made.experiment.composed, made.profile);
  EXPECT_EQ(again.hash, made.experiment.hash);
  const Plan second = make_plan({.experiment = again}, testing::fake_engine());  // no folder is searched
  EXPECT_EQ(keys(second), keys(made));
  EXPECT_EQ(second.out.lexically_normal(), std::filesystem::absolute(made.out).lexically_normal());
  EXPECT_EQ(made.experiment.composed.find(testing::source_dir().string()), std::string::npos)
      << "a path of this machine";
}

TEST_F(PlanTest, UnknownNamesAreToldBeforeAnythingIsRead) {
  EXPECT_NE(refusal({"models=resnet9"}).find("did you mean 'resnet8'?"), std::string::npos)
      << refusal({"models=resnet9"});
  EXPECT_NE(refusal({"losses=cee"}).find("did you mean 'ce'?"), std::string::npos);
  EXPECT_NE(refusal({"postprocessors=knm"}).find("did you mean 'knn'?"), std::string::npos);
  EXPECT_NE(refusal({"benchmarks=smok"}).find("smoke"), std::string::npos);
  EXPECT_NE(refusal({"benchmarks=smoke,smoke"}).find("twice"), std::string::npos);
  EXPECT_NE(refusal({"postprocessor.knn.k=0"}).find("k"), std::string::npos);
}

TEST_F(PlanTest, AHundredThousandCellsAreListedAsCounts) {
  std::string seeds = "seeds=0";
  for (int seed = 1; seed < 300; ++seed) seeds += "," + std::to_string(seed);
  const Plan made = plan({seeds});
  EXPECT_EQ(made.evals.size(), 1200u);
  const std::string text = plan_text(made);
  EXPECT_LT(text.size(), 3000u);
  EXPECT_NE(text.find("900 "), std::string::npos) << text;  // of 1200 those that apply
}

std::vector<std::string> labels(const std::vector<TrainCell>& cells) {
  std::vector<std::string> all;
  for (const TrainCell& one : cells) all.push_back(one.cell.label);
  return all;
}

TEST_F(PlanTest, PointsShareWhatIsTheSame) {
  const Plan alone = plan(), swept = plan({"train.epochs=2,3", "postprocessor.knn.k=5,10"});
  EXPECT_EQ(alone.points.size(), 1u);
  ASSERT_EQ(swept.points.size(), 4u);
  EXPECT_EQ(labels(swept.trains), (std::vector<std::string>{"ce/resnet8/s0 epochs=2", "supcon/resnet8/s0 epochs=2",
                                                            "ce/resnet8/s0 epochs=3", "supcon/resnet8/s0 epochs=3"}));
  EXPECT_EQ(swept.postprocessors.size(), 3u);                 // msp, knn twice
  EXPECT_EQ(swept.points[0].models, swept.points[2].models);  // k = 5 and k = 10 of the same trainings
  // The same cells as without a sweep, where nothing else is set.
  const std::set<std::string> all = keys(swept);
  for (const TrainCell& train : alone.trains) EXPECT_TRUE(all.contains(train.cell.key));
  const Plan one = plan({"train.epochs=3", "postprocessor.knn.k=10"});
  for (const std::string& key : keys(one)) EXPECT_TRUE(all.contains(key));
  std::set<std::string> evals;
  for (const EvalCell& eval : swept.evals) evals.insert(eval.cell.label);
  EXPECT_TRUE(evals.contains("ce/resnet8/s0 epochs=3 knn k=10"));
  EXPECT_TRUE(evals.contains("ce/resnet8/s0 epochs=3 msp"));
  EXPECT_EQ(evals.size(), swept.evals.size());  // no label stands for two cells
}

TEST_F(PlanTest, APointAsksForItsOwnPostprocessorsAlone) {
  const std::string text = std::string(kSmoke) +
                           "[sweep]\nmode = 'list'\n[[sweep.points]]\nlosses = 'ce'\npostprocessors = 'msp'\n"
                           "[[sweep.points]]\nlosses = ['ce', 'supcon']\npostprocessors = 'knn'\n";
  const Plan made = plan_of(experiment(text));
  EXPECT_EQ(made.models.size(), 2u);  // ce once
  std::set<std::string> evals;
  for (const EvalCell& eval : made.evals) evals.insert(eval.cell.label);
  EXPECT_EQ(evals, (std::set<std::string>{"ce/resnet8/s0 msp", "ce/resnet8/s0 knn", "supcon/resnet8/s0 knn"}));
}

TEST_F(PlanTest, PointsMayBeOnDifferentBenchmarks) {
  const std::string text = std::string(kSmoke) + "[sweep.axes]\nbenchmark = ['smoke', '" + other() + "']\n";
  const Plan made = plan_of(experiment(text));
  EXPECT_EQ(made.benchmarks.size(), 2u);
  EXPECT_EQ(made.models.size(), 4u);
  EXPECT_EQ(made.models[0].label, "smoke: ce/resnet8/s0");
  EXPECT_EQ(made.models[3].label, "other: supcon/resnet8/s0");
  const Plan again = plan_of(load_composed_experiment(made.experiment.composed, made.profile));
  EXPECT_EQ(keys(again), keys(made));
}

TEST_F(PlanTest, AnAxisThatALossOverridesIsNoted) {
  const Plan made = plan({"loss.supcon.train.lr=0.3", "train.lr=0.1,0.2"});
  EXPECT_EQ(labels(made.trains),
            (std::vector<std::string>{"ce/resnet8/s0 lr=0.1", "supcon/resnet8/s0", "ce/resnet8/s0 lr=0.2"}));
  ASSERT_EQ(made.notes.size(), 1u);
  EXPECT_EQ(made.notes[0],
            "train.lr changes nothing for supcon, whose [loss.supcon.train] sets lr = 0.3; its axis would be "
            "loss.supcon.train.lr");
  const std::string text = plan_text(made);
  EXPECT_NE(text.find("sweep: grid, 2 points\n  train.lr  0.1, 0.2\n  3 models serve 4 uses"), std::string::npos)
      << text;
  EXPECT_NE(text.find("(--cells lists them)"), std::string::npos);
  EXPECT_NE(plan_text(made, true).find("ce/resnet8/s0 lr=0.2 knn"), std::string::npos);
}

TEST_F(PlanTest, ASearchIsKnownByItsPoints) {
  const auto knn = [&](std::vector<std::string> words) {
    words.insert(words.end(), {"losses=ce", "postprocessors=knn"});
    return plan(words);
  };
  const auto part = [](const Plan& made) {
    return nlohmann::json::parse(made.evals.at(0).cell.identity).at("postprocessor").dump();
  };
  const std::string plugin = R"("plugin":{"name":"knn","source":"source of knn","version":"1.0.0"}})";
  // Keys of results that people have: a grid's part of an identity never changes.
  EXPECT_EQ(part(knn({"postprocessor.knn.tune={k=[5,50]}"})), R"({"grid":"k=5,50",)" + plugin);
  const std::string drawn = "postprocessor.knn.tune={k={between=[1,500]}}";
  const Plan some = knn({drawn, "postprocessor.knn.search.trials=3"});
  EXPECT_EQ(part(some), R"({"grid":"k=70,135,418",)" + plugin);
  EXPECT_EQ(part(knn({"postprocessor.knn.tune={k=[70,135,418]}"})), part(some)) << "the same work is the same cell";
  EXPECT_NE(part(knn({drawn, "postprocessor.knn.search.trials=3", "postprocessor.knn.search.seed=1"})), part(some));
  // What is searched looks at validation images alone, and a model's own cells stay the same.
  EXPECT_EQ(fit_sets(some.catalog.plugins[some.postprocessors[0].plugin], some.postprocessors[0].grid),
            (std::vector<std::string>{"train", "val", "ood_val"}));
  EXPECT_EQ(some.trains.at(0).cell.key, knn({}).trains.at(0).cell.key);
  const std::string text = "{3 random points of seed 0: k=between(1,500)}";
  EXPECT_EQ(some.postprocessors[0].shown, "tune=" + text);
  const std::vector<Factor>& factors = some.postprocessors[0].factors;
  EXPECT_EQ(
      std::find_if(factors.begin(), factors.end(), [](const Factor& one) { return one.name == "postprocessor.tune"; })
          ->value,
      ParamValue(text));
  EXPECT_NE(
      refusal({"postprocessor.knn.k=5", drawn, "postprocessor.knn.search.trials=3"}).find("both given and searched"),
      std::string::npos);
}

TEST_F(PlanTest, SearchesOfAPlanAreToldApart) {
  // Several searches of one postprocessor are an axis; each has a label of its own that is no list of points.
  const Plan made = plan({"losses=ce", "postprocessors=knn", "postprocessor.knn.tune={k={between=[1,500]}}",
                          "postprocessor.knn.search.trials=300", "postprocessor.knn.search.seed=0,1"});
  ASSERT_EQ(made.evals.size(), 2u);
  EXPECT_EQ(made.evals[0].cell.label, "ce/resnet8/s0 knn tune={300 random points of seed 0: k=between(1,500)}");
  EXPECT_NE(made.evals[0].cell.key, made.evals[1].cell.key);
  EXPECT_EQ(made.postprocessors[1].grid.size(), 300u);
  EXPECT_LT(plan_text(made, true).size(), 3000u);
}

}  // namespace
}  // namespace nearfar
