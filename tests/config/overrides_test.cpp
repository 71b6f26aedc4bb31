#include "config_files.h"

namespace nearfar {
namespace {

using OverridesTest = testing::ConfigFiles;
constexpr const char* kBase = "benchmark = 'smoke'\nlosses = ['ce']\npostprocessors = ['knn']\n[train]\nlr = 0.5\n";

TEST_F(OverridesTest, SetTypedValues) {
  const Experiment e = load(kBase, {"train.lr=0.25", "train.flip=true", "device=cuda", "name=123", "data.root=/a b",
                                    "loss.ce.train.epochs=2", "postprocessor.knn.k=7", "postprocessor.knn.metric=l2"});
  EXPECT_EQ(e.train.learning_rate, 0.25);
  EXPECT_TRUE(e.train.flip);
  EXPECT_EQ(e.device, "cuda");
  EXPECT_EQ(e.name, "123");
  EXPECT_EQ(e.data_root, "/a b");
  EXPECT_EQ(e.losses[0].recipe.epochs, 2);
  EXPECT_EQ(std::get<std::int64_t>(e.postprocessors[0].params.at("k")), 7);
  EXPECT_EQ(std::get<std::string>(e.postprocessors[0].params.at("metric")), "l2");
  EXPECT_EQ(e.postprocessors[0].param_where.at("k"), "override 'postprocessor.knn.k=7'");
}

TEST_F(OverridesTest, TheLastOneWins) { EXPECT_EQ(load(kBase, {"train.lr=1", "train.lr=2"}).train.learning_rate, 2); }

TEST_F(OverridesTest, CommasSeparateElementsOfListKeys) {
  const Experiment e =
      load(kBase, {"seeds=0,1,2", "losses=ce,supcon", "postprocessors=[msp, temp_scaling]", "protocols=fsood"});
  EXPECT_EQ(e.seeds, (std::vector<std::int64_t>{0, 1, 2}));
  ASSERT_EQ(e.losses.size(), 2U);
  EXPECT_EQ(e.losses[1].name, "supcon");
  ASSERT_EQ(e.postprocessors.size(), 2U);
  EXPECT_EQ(e.postprocessors[1].name, "temp-scaling");
  EXPECT_EQ(e.protocols, std::vector<std::string>{"fsood"});
  EXPECT_EQ(load(kBase, {"losses=[\"ce\", \"supcon\"]", "seeds=4"}).seeds, std::vector<std::int64_t>{4});
}

TEST_F(OverridesTest, UnderscoresAndHyphensNameTheSamePlugin) {
  const Experiment e = load("benchmark = 'smoke'\nlosses = ['a-b']\n[loss.a_b]\nx = 1\n", {"loss.a-b.x=2"});
  EXPECT_EQ(std::get<std::int64_t>(e.losses[0].params.at("x")), 2);
}

TEST_F(OverridesTest, PlusAddsAndRefusesWhatIsSet) {
  EXPECT_EQ(load(kBase, {"+train.epochs=3"}).train.epochs, 3);
  EXPECT_EQ(refusal(kBase, {"+train.lr=3"}),
            "override '+train.lr=3': 'train.lr' is already set at experiment.toml:5:6; leave out the '+' to change it");
}

TEST_F(OverridesTest, TildeRemovesAndRefusesWhatIsNotThere) {
  EXPECT_EQ(load(kBase, {"~train.lr"}).train.learning_rate, TrainRecipe{}.learning_rate);
  EXPECT_TRUE(load(kBase, {"~losses"}).losses.empty());
  EXPECT_EQ(load("benchmark = 'smoke'\nseeds = [5]\n", {"~seeds"}).seeds, std::vector<std::int64_t>{0});
  EXPECT_EQ(refusal(kBase, {"~train.lrr"}),
            "override '~train.lrr': there is no 'train.lrr' to remove; did you mean 'lr'?");
}

TEST_F(OverridesTest, ErrorsQuoteTheArgument) {
  EXPECT_EQ(refusal(kBase, {"train.lrr=1"}),
            "override 'train.lrr=1': unknown key 'lrr' in [train]; did you mean 'lr'?");
  EXPECT_EQ(refusal(kBase, {"train.lr=fast"}),
            "override 'train.lr=fast': 'lr' in [train] takes a number, found text 'fast'");
  EXPECT_EQ(refusal(kBase, {"train=1"}),
            "override 'train=1': 'train' is a table; name one of its keys, like train.KEY=value");
  EXPECT_EQ(refusal(kBase, {"device.x=1"}), "override 'device.x=1': 'device' takes text in quotes, found a table");
}

TEST_F(OverridesTest, MalformedOnesAreRefused) {
  for (const char* argument : {"train.lr", "=3", "a..b=1", ".a=1", "+x", "~x=1", "~", "seeds=1,,2", "seeds="}) {
    EXPECT_EQ(refusal(kBase, {argument}).substr(0, 10), "override '") << argument;
  }
}

}  // namespace
}  // namespace nearfar
