/// Every experiment and recipe of configs/ parses.
#include "config/experiment.h"
#include "support/golden.h"

#include <gtest/gtest.h>

#include <filesystem>

namespace nearfar {
namespace {

namespace fs = std::filesystem;

fs::path configs() { return testing::source_dir() / "configs"; }

/// Loads every .toml of a folder; returns how many there were. Those of ImageNet-1k tune weights that a user has to
/// give.
int load_all(const fs::path& folder, const std::vector<std::string>& overrides) {
  int files = 0;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.path().extension() != ".toml") continue;
    SCOPED_TRACE(entry.path().string());
    std::vector<std::string> all = overrides;
    const std::string name = entry.path().stem().string();
    if (name.ends_with("-imagenet") || name == "matrix-openood") all.emplace_back("model.checkpoint=weights.pth");
    EXPECT_NO_THROW(load_experiment({entry.path()}, all));
    ++files;
  }
  return files;
}

TEST(ShippedConfigs, ExperimentsParse) { EXPECT_GE(load_all(configs() / "experiments", {}), 2); }

TEST(ShippedConfigs, RecipesParse) { EXPECT_GE(load_all(configs() / "recipes", {"benchmark=smoke"}), 1); }

TEST(ShippedConfigs, QuickstartIsThreeLossesTwoSeedsThreePostprocessors) {
  const Experiment e = load_experiment({configs() / "experiments" / "quickstart.toml"});
  EXPECT_EQ(e.name, "quickstart");
  EXPECT_EQ(e.benchmarks.at(0).name, "fashion-mnist");
  EXPECT_EQ(e.networks, std::vector<std::string>{"resnet8"});
  EXPECT_EQ(e.seeds, (std::vector<std::int64_t>{0, 1}));
  ASSERT_EQ(e.losses.size(), 3U);
  EXPECT_EQ(e.losses[0].recipe.learning_rate, 0.2);
  EXPECT_EQ(e.losses[1].recipe.learning_rate, 0.3);
  EXPECT_EQ(e.losses[2].name, "reweightood");
  EXPECT_EQ(e.losses[2].recipe.shift, 2);
  EXPECT_EQ(e.postprocessors.size(), 3U);
}

TEST(ShippedConfigs, TheMatrixTrainsThreeBenchmarksFromScratchAndTunesOne) {
  const Experiment e =
      load_experiment({configs() / "experiments" / "matrix-openood.toml"}, {"model.checkpoint=resnet50.pth"});
  ASSERT_EQ(e.points.size(), 4U);
  ASSERT_TRUE(e.initial);
  EXPECT_EQ(e.initial->checkpoint, "resnet50.pth");
  for (const Point& point : e.points) {
    EXPECT_EQ(point.experiment.losses.size(), 3U);
    EXPECT_TRUE(point.experiment.foreign.empty());
  }
  EXPECT_EQ(e.points[0].experiment.benchmarks.at(0).name, "cifar10");
  EXPECT_EQ(e.points[0].experiment.networks.at(0), "resnet18_32x32");
  EXPECT_EQ(e.points[3].experiment.networks.at(0), "resnet50");
  EXPECT_EQ(e.points[3].experiment.losses.at(0).recipe.start, "checkpoint");
  EXPECT_EQ(e.points[3].experiment.recipe, "openood-imagenet");
}

TEST(ShippedConfigs, SmokeIsSmall) {
  const Experiment e = load_experiment({configs() / "experiments" / "smoke.toml"});
  EXPECT_EQ(e.benchmarks.at(0).name, "smoke");
  EXPECT_LE(e.losses.at(0).recipe.epochs, 2);
}

}  // namespace
}  // namespace nearfar
