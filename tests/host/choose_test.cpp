#include "host/choose.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

namespace nearfar {
namespace {

class Choose : public ::testing::Test {
 protected:
  void add(const std::string& path, const std::string& version, const std::string& name = "knn",
           const std::string& kind = "postprocessor") {
    PluginDescription plugin;
    plugin.path = path;
    plugin.kind = kind;
    plugin.name = name;
    plugin.version = version;
    plugins_.push_back(std::make_unique<PluginDescription>(plugin));
  }
  PluginList list() const {
    PluginList all;
    for (const auto& plugin : plugins_) all.push_back(plugin.get());
    return all;
  }
  /// Path of what is taken, "" = none.
  std::string taken(std::string_view wanted) const {
    const auto found = choose_plugin(list(), "postprocessor", wanted_plugin(wanted));
    return found ? plugins_[*found]->path : "";
  }

  std::vector<std::unique_ptr<PluginDescription>> plugins_;
};

TEST_F(Choose, FirstFolderThenHighestVersion) {
  add("/a/x.so", "1.2.0");
  add("/a/y.so", "1.10.0-rc.1");
  add("/a/z.so", "1.9.0", "other");
  add("/b/x.so", "2.0.0");
  add("/b/y.so", "1.10.0");
  EXPECT_EQ(taken("knn"), "/a/y.so");
  EXPECT_EQ(taken("knn@<1.10"), "/a/x.so");
  EXPECT_EQ(taken("knn@>=1.10"), "/b/x.so");
  EXPECT_EQ(taken("knn@>=1.10,<2"), "/b/y.so");
  EXPECT_EQ(taken("knn@3"), "");
  EXPECT_EQ(taken("mds"), "");
}

TEST_F(Choose, KindsDoNotMix) {
  add("/a/x.so", "2.0.0", "palm", "loss");
  add("/b/x.so", "1.0.0", "palm");
  EXPECT_EQ(taken("palm"), "/b/x.so");
  EXPECT_EQ(hidden_by(list(), 0), "");
  EXPECT_EQ(hidden_by(list(), 1), "");
}

TEST_F(Choose, HiddenOnesSayWhyAndHowToReachThem) {
  add("/a/old.so", "1.0.0");
  add("/a/new.so", "1.2.0");
  add("/a/copy.so", "1.2.0");
  add("/b/newer.so", "2.0.0");
  add("/b/same.so", "1.2.0");
  EXPECT_EQ(hidden_by(list(), 0), "hidden by /a/new.so, whose version 1.2.0 is higher; knn@1.0.0 is this one");
  EXPECT_EQ(hidden_by(list(), 1), "");
  EXPECT_EQ(hidden_by(list(), 2), "hidden by /a/new.so, which has the same contents; no requirement leads to this one");
  EXPECT_EQ(hidden_by(list(), 3), "hidden by /a/new.so, whose folder comes first; knn@2.0.0 is this one");
  EXPECT_EQ(hidden_by(list(), 4), "hidden by /a/new.so, whose folder comes first; no requirement leads to this one");
}

TEST_F(Choose, SaysWhichVersionsThereAre) {
  add("/a/x.so", "1.0.0");
  add("/b/x.so", "1.2.0");
  EXPECT_EQ(no_such_version(list(), "postprocessor", wanted_plugin("knn@>=3")),
            "no version of postprocessor 'knn' satisfies '@>=3'; there are: 1.0.0 (/a/x.so), 1.2.0 (/b/x.so)");
  EXPECT_EQ(no_such_version(list(), "loss", wanted_plugin("knn@>=3")), "");
}

}  // namespace
}  // namespace nearfar
