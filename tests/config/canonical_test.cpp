#include "base/hash.h"
#include "config_files.h"

#include <algorithm>

namespace nearfar {
namespace {

using CanonicalTest = testing::ConfigFiles;

TEST_F(CanonicalTest, DoesNotDependOnKeyOrderOrTheSplitOverFiles) {
  const Experiment one = load(
      "name = 'n'\nbenchmark = 'smoke'\nlosses = ['ce', 'supcon']\nseeds = [0, 1]\n[train]\nlr = 1.0\nepochs = "
      "2\n[loss.ce]\nx = 1\n");
  write("base.toml", "losses = ['supcon', 'ce']\n[loss.ce]\nx = 1.0\n[train]\nepochs = 2\nlr = 5\n");
  const Experiment split = load(
      "extends = 'base.toml'\nbenchmark = 'smoke'\nname = 'n'\n[sweep.replicates]\nseed = [1, 0]\n", {"train.lr=1"});
  EXPECT_EQ(one.canonical, split.canonical);
  EXPECT_EQ(one.hash, split.hash);
  EXPECT_EQ(one.hash, sha256(one.canonical));
}

TEST_F(CanonicalTest, LeavesOutPathsAndHowItIsRun) {
  const std::string base = "name = 'n'\nbenchmark = 'smoke'\n";
  const Experiment plain = load(base);
  const Experiment moved =
      load(base, {"data.root=/d", "out=/o", "run.jobs=3", "run.threads=2", "run.timeout_seconds=9", "device=cuda",
                  "benchmark=/elsewhere/smoke.toml", "train.checkpoint_every_epochs=7"});
  EXPECT_EQ(plain.canonical, moved.canonical);
}

TEST_F(CanonicalTest, ChangesWithWhateverChangesAResult) {
  const std::string base = "name = 'n'\nbenchmark = 'smoke'\nlosses = ['ce']\npostprocessors = ['knn']\n";
  std::vector<std::string> hashes = {load(base).hash};
  for (const char* change : {"train.lr=0.7",
                             "train.epochs=2",
                             "train.shift=1",
                             "train.projection=linear",
                             "seeds=1",
                             "losses=ce,supcon",
                             "loss.ce.x=1",
                             "postprocessor.knn.k=2",
                             "data.limit=5",
                             "benchmark=other",
                             "benchmarks=smoke,other",
                             "models=resnet8,y",
                             "model.name=x",
                             "model.features=f",
                             "model.checkpoint=f",
                             "model.file=f",
                             "model.torchscript=f",
                             "model={file='f',feature_node='a'}",
                             "model={file='f',map_nodes=['a']}",
                             "model={file='f',map_nodes=['a','b']}",
                             "tune=openood",
                             "postprocessor.knn.tune={k=[1,2]}",
                             "data.on_unreadable=skip",
                             "protocols=fsood",
                             "run.deterministic=false",
                             "data.allow_count_mismatch=true",
                             "recipe=z"}) {
    hashes.push_back(load(base, {change}).hash);
    EXPECT_EQ(std::count(hashes.begin(), hashes.end(), hashes.back()), 1) << change;
  }
}

TEST_F(CanonicalTest, IsSortedJsonWithDefaultsFilledIn) {
  EXPECT_EQ(
      load("name = 'n'\nbenchmark = 'smoke'\npostprocessors = ['knn']\n[postprocessor.knn]\nk = "
           "5\n[postprocessor.other]\nz = 1\n")
          .canonical,
      R"({"benchmarks":["smoke"],"data":{"allow_count_mismatch":false,"limit":0,"on_unreadable":"fail"},"deterministic":true,"dtype":"float32","losses":{},)"
      R"("models":{"from":[],"trained":["resnet8"]},"name":"n","postprocessors":{"knn":{"params":{"k":5}}},"protocols":["ood"],)"
      R"("recipe":"default","seeds":[0]})");
}

}  // namespace
}  // namespace nearfar
