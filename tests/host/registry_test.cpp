#include "base/files.h"
#include "expect_error.h"
#include "host/plugin.h"
#include "support/golden.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

namespace nearfar {
namespace {

namespace fs = std::filesystem;

const fs::path& installed() {
  static const fs::path folder = testing::binary_dir() / "lib/nearfar/plugins";
  return folder;
}

/// NEARFAR_PLUGIN_PATH for the life of the object.
class PluginPath {
 public:
  explicit PluginPath(const std::string& value) { ::setenv("NEARFAR_PLUGIN_PATH", value.c_str(), 1); }
  ~PluginPath() { ::unsetenv("NEARFAR_PLUGIN_PATH"); }
  PluginPath(const PluginPath&) = delete;
  PluginPath& operator=(const PluginPath&) = delete;
};

TEST(PluginRegistry, FindsTheInstalledPlugins) {
  const PluginRegistry registry({.directories = {}, .environment = false, .installed = installed()});
  EXPECT_TRUE(registry.refusals().empty());
  for (const char* name : {"msp", "knn", "mds"}) EXPECT_EQ(registry.find(PluginKind::postprocessor, name).name(), name);
  for (const char* name : {"ce", "supcon", "reweightood"})
    EXPECT_EQ(registry.find(PluginKind::loss, name).name(), name);
}

TEST(PluginRegistry, SuggestsTheNearestName) {
  const PluginRegistry registry({.directories = {}, .environment = false, .installed = installed()});
  EXPECT_ERROR(registry.find(PluginKind::postprocessor, "kmn"), ErrorKind::config, "no postprocessor 'kmn'",
               "did you mean 'knn'", "klm, knn, mcm, mds", installed().string());
  EXPECT_ERROR(registry.find(PluginKind::loss, "knn"), ErrorKind::config, "no loss 'knn'",
               "ce, cider, logitnorm, palm, reweightood, supcon, t2fnorm");
}

TEST(PluginRegistry, KeepsRefusedLibrariesAsideAndTakesBothSpellings) {
  const PluginRegistry registry(
      {.directories = {testing::binary_dir() / "lib/nearfar/bad_plugins"}, .environment = false, .installed = {}});
  EXPECT_EQ(registry.refusals().size(), 5u);  // no_entry, no_name, wrong_api, wrong_params, wrong_tag
  EXPECT_EQ(registry.find(PluginKind::postprocessor, "wrong_shape").name(), "wrong-shape");
  EXPECT_EQ(registry.find(PluginKind::postprocessor, "wrong-shape").name(), "wrong-shape");
  EXPECT_ERROR(registry.find(PluginKind::postprocessor, "wrong_tag"), ErrorKind::plugin, "torch is '1.0.0'");
}

TEST(PluginRegistry, TakesTheFirstOfTwoWithOneName) {
  const TempDir first, second;
  fs::copy_file(installed() / "msp.so", first.path() / "other.so");
  fs::copy_file(installed() / "msp.so", second.path() / "msp.so");
  const PluginPath environment(second.path().string());
  const PluginRegistry registry({.directories = {first.path()}, .installed = installed()});
  EXPECT_EQ(registry.find(PluginKind::postprocessor, "msp").description().path, (first.path() / "other.so").string());
  ASSERT_EQ(registry.refusals().size(), 2u);
  EXPECT_EQ(registry.refusals()[0].path, second.path() / "msp.so");
  EXPECT_NE(registry.refusals()[0].message.find("already given by"), std::string::npos);
}

TEST(PluginRegistry, SearchesTheEnvironmentsFolders) {
  const TempDir folder;
  fs::copy_file(installed() / "ce.so", folder.path() / "ce.so");
  const PluginPath environment("/nonexistent-plugins::" + folder.path().string());
  const PluginRegistry registry({.directories = {}, .environment = true, .installed = {}});
  EXPECT_EQ(registry.plugins().size(), 1u);
  ASSERT_EQ(registry.refusals().size(), 1u);
  EXPECT_NE(registry.refusals()[0].message.find("NEARFAR_PLUGIN_PATH"), std::string::npos);
}

TEST(PluginRegistry, RefusesAMissingFolderThatWasAskedFor) {
  EXPECT_ERROR(PluginRegistry({.directories = {"/nonexistent-plugins"}, .environment = false, .installed = {}}),
               ErrorKind::config, "/nonexistent-plugins", "--plugin-dir");
}

}  // namespace
}  // namespace nearfar
