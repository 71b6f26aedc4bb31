/// An experiment apart from the machine it was asked for on.
#include "config/profile.h"

#include "config/config_files.h"

namespace nearfar {
namespace {

class ProfileTest : public testing::ConfigFiles {};

TEST_F(ProfileTest, TomlReadsBackToTheSameValues) {
  const char* text =
      "b = true\ni = -3\nlist = [1, 2.5, 'x', [true]]\nn = 1e300\none = 1.0\n'odd key' = 'a \\\\ \\\" \\t'\n"
      "[[model]]\nname = 'a'\n[[model]]\nname = 'b'\n[t]\nk = 'v'\n[t.u.'w x']\nz = 0\n";
  const std::string once = toml_text(parse_toml(text, "text"));
  EXPECT_EQ(toml_text(parse_toml(once, "once")), once);
  EXPECT_NE(once.find("[t.u.\"w x\"]"), std::string::npos) << once;
  EXPECT_NE(once.find("one = 1.0"), std::string::npos) << "a number must not come back as an integer";
}

TEST_F(ProfileTest, ControlCharactersSurvive) {
  Value document;
  Value text;
  text.data = std::string("line\nend\x01\x7f\"");
  document.table()->emplace("t", text);
  EXPECT_EQ(std::get<std::string>(parse_toml(toml_text(document), "text").table()->at("t").data),
            "line\nend\x01\x7f\"");
}

TEST_F(ProfileTest, PathsAreKeptApartAndComeBack) {
  const Experiment asked = load(
      "name = 'n'\nbenchmarks = ['smoke', 'mine/b.toml']\nout = 'somewhere'\n[data]\nroot = 'images'\n"
      "[[model]]\ncheckpoint = 'w/a.pth'\ntraining = 'x'\n[[model]]\ncheckpoint = '/w/b.pth'\ntraining = 'y'\n"
      "[[model]]\nfile = 'w/c.pt2'\n[[model]]\ntorchscript = 'w/d.pt'\n"
      "[postprocessor.cfood]\npicks = 'picks/p.npy'\n[postprocessor.knn]\nk = 5\n");
  for (const char* path :
       {"w/a.pth", "/w/b.pth", "w/c.pt2", "w/d.pt", "images", "mine/b.toml", "somewhere", "picks/p.npy"}) {
    EXPECT_EQ(asked.composed.find(path), std::string::npos) << path << " in\n" << asked.composed;
    EXPECT_NE(asked.profile.find(path), std::string::npos) << path << " in\n" << asked.profile;
  }
  const Experiment again = load_composed_experiment(asked.composed, asked.profile);
  EXPECT_EQ(again.hash, asked.hash);
  EXPECT_EQ(again.foreign.at(0).checkpoint, std::filesystem::absolute("w/a.pth"));
  EXPECT_EQ(again.foreign.at(1).checkpoint, "/w/b.pth");
  EXPECT_EQ(again.foreign.at(2).file, std::filesystem::absolute("w/c.pt2"));
  EXPECT_EQ(again.foreign.at(3).torchscript, std::filesystem::absolute("w/d.pt"));
  EXPECT_EQ(again.data_root, std::filesystem::absolute("images"));
  EXPECT_EQ(again.benchmarks.at(1).name, std::filesystem::absolute("mine/b.toml"));
  EXPECT_EQ(again.out, std::filesystem::absolute("somewhere"));
}

TEST_F(ProfileTest, OverridesAndWhatIsExtendedAreInTheComposedText) {
  write("base.toml", "benchmark = 'smoke'\nlosses = ['ce']\n[train]\nepochs = 9\n");
  const Experiment asked = load("extends = 'base.toml'\n[train]\nlr = 0.5\n", {"train.epochs=3", "seeds=4,5"});
  const Experiment again = load_composed_experiment(asked.composed, "");
  EXPECT_EQ(again.canonical, asked.canonical);
  EXPECT_EQ(again.losses.at(0).recipe.epochs, 3);
  EXPECT_EQ(again.seeds, (std::vector<std::int64_t>{4, 5}));
}

class OtherMachine : public ProfileTest {
 protected:
  const std::string stored_ =
      "[paths]\nout = '/here/out'\n'data.root' = '/here/data'\n'benchmarks.smoke' = '/here/smoke.toml'\n"
      "'model.checkpoint' = ['/here/a.pth', '/here/b.pth']\n[plugins]\ndirectories = ['/here/plugins']\n";
  std::string with(const std::string& profile) { return profile_with(stored_, write("machine.toml", profile)); }
  std::string refused(const std::string& profile) {
    try {
      with(profile);
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::config);
      return without_folder(error.what());
    }
    return "nothing was thrown";
  }
};

TEST_F(OtherMachine, EntriesOfAProfileReplaceThoseOfTheStoredOne) {
  const std::string text = with("[paths]\n'data.root' = '/there/data'\nout = 'mine'\n");
  const Value profile = parse_toml(text, "profile");
  const Value::Table& paths = *profile.table()->at("paths").table();
  EXPECT_EQ(std::get<std::string>(paths.at("data.root").data), "/there/data");
  EXPECT_EQ(std::get<std::string>(paths.at("out").data), (folder_.path() / "mine").string()) << "beside the profile";
  EXPECT_EQ(std::get<std::string>(paths.at("benchmarks.smoke").data), "/here/smoke.toml") << "not named, so it stays";
  EXPECT_EQ(profile_plugin_folders(text), std::vector<std::filesystem::path>{"/here/plugins"});
}

TEST_F(OtherMachine, ListsAreReplacedWhole) {
  const std::string text = with("[paths]\n'model.checkpoint' = ['/a', '/b']\n[plugins]\ndirectories = ['x', '/y']\n");
  EXPECT_NE(text.find("\"model.checkpoint\" = [\"/a\", \"/b\"]"), std::string::npos) << text;
  EXPECT_EQ(profile_plugin_folders(text), (std::vector{folder_.path() / "x", std::filesystem::path("/y")}));
  EXPECT_TRUE(profile_plugin_folders("").empty());
}

TEST_F(OtherMachine, WhatIsNoEntryIsRefusedWhereItIsWritten) {
  EXPECT_EQ(refused("[paths]\n'benchmarks.smoky' = '/x'\n"),
            "machine.toml:2:22: the stored experiment has no path 'benchmarks.smoky'; did you mean "
            "'benchmarks.smoke'?; it has: benchmarks.smoke, data.packed, data.root, model.checkpoint, out");
  EXPECT_NE(refused("[paths]\ndata.root = '/x'\n").find("write the whole name in quotes, like \"data.root\""),
            std::string::npos);
  EXPECT_NE(refused("[paths]\nout = 3\n").find("machine.toml:2:7: 'out' is a path, found an integer"),
            std::string::npos);
  EXPECT_NE(refused("[train]\nlr = 1\n").find("'train' is no section of a profile"), std::string::npos);
  EXPECT_NE(refused("[plugins]\nfolders = ['x']\n").find("directories = ["), std::string::npos);
}

}  // namespace
}  // namespace nearfar
