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

/// Both versions of tests/versioned_plugins, by any file name.
fs::path version(const char* file) { return testing::binary_dir() / "lib/nearfar/versioned_plugins" / file; }

TEST(PluginRegistry, KeepsAllOfOneNameAndTakesTheFirstFolders) {
  const TempDir first, second;
  fs::copy_file(version("stranger_1_0.so"), first.path() / "whatever.so");
  fs::copy_file(version("stranger_1_0.so"), second.path() / "a.so");
  fs::copy_file(version("stranger_1_2.so"), second.path() / "b.so");
  const PluginPath environment(second.path().string());
  const PluginRegistry registry({.directories = {first.path()}, .installed = {}});
  EXPECT_TRUE(registry.refusals().empty());
  EXPECT_EQ(registry.plugins().size(), 3u);
  const auto path = [&](const char* name) { return registry.find(PluginKind::postprocessor, name).description().path; };
  EXPECT_EQ(path("stranger"), (first.path() / "whatever.so").string());
  EXPECT_EQ(path("stranger@<1.2"), (first.path() / "whatever.so").string());
  EXPECT_EQ(path("stranger@>=1.1"), (second.path() / "b.so").string());
  EXPECT_ERROR(path("stranger@>=2"), ErrorKind::config, "no version of postprocessor 'stranger' satisfies '@>=2'",
               "1.0.0 (" + (second.path() / "a.so").string() + ")", "1.2.0 (");
  EXPECT_ERROR(path("stranger@new"), ErrorKind::config, "'new'", "expected 1.2.0");
}

TEST(PluginRegistry, TakesTheHighestOfOneFolder) {
  const PluginRegistry registry(
      {.directories = {version("stranger_1_0.so").parent_path()}, .environment = false, .installed = {}});
  EXPECT_EQ(registry.find(PluginKind::postprocessor, "stranger").version(), "1.2.0");
}

TEST(PluginRegistry, RefusesBothOfTwoThatClaimToBeTheSame) {
  const TempDir folder;
  fs::copy_file(version("stranger_1_0.so"), folder.path() / "a.so");
  fs::copy_file(version("stranger_1_0.so"), folder.path() / "b.so");
  const PluginSearch search{.directories = {folder.path()}, .environment = false, .installed = {}};
  EXPECT_EQ(PluginRegistry(search).find(PluginKind::postprocessor, "stranger").description().path,
            (folder.path() / "a.so").string())
      << "the same contents twice are one";
  fs::copy_file(version("stranger_1_0.so"), folder.path() / "c.so");
  std::ofstream(folder.path() / "c.so", std::ios::app)
      << "more";  // behind the end of the ELF file: loaded all the same
  const PluginRegistry registry(search);
  EXPECT_TRUE(registry.plugins().empty());
  ASSERT_EQ(registry.refusals().size(), 3u);
  EXPECT_ERROR(registry.find(PluginKind::postprocessor, "stranger"), ErrorKind::plugin, "'stranger' 1.0.0 is also in",
               (folder.path() / "c.so").string(), "expected one file a version in a folder", "remove one");
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
