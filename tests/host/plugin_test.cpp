#include "host/plugin.h"

#include "base/files.h"
#include "expect_error.h"
#include "support/golden.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <fstream>
#include <memory>

namespace nearfar {
namespace {

namespace fs = std::filesystem;

fs::path good(const std::string& name) { return testing::binary_dir() / "lib/nearfar/plugins" / (name + ".so"); }
fs::path bad(const std::string& name) { return testing::binary_dir() / "lib/nearfar/bad_plugins" / (name + ".so"); }

std::string output_of(const std::string& command) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> pipe(::popen(command.c_str(), "r"), ::pclose);
  std::string result;
  std::array<char, 4096> part{};
  while (const std::size_t count = std::fread(part.data(), 1, part.size(), pipe.get()))
    result.append(part.data(), count);
  return result;
}

TEST(LoadPlugin, TellsWhatAPluginIs) {
  const LoadedPlugin plugin = load_plugin(good("knn"));
  const PluginDescription& description = plugin.description();
  EXPECT_EQ(description.kind, "postprocessor");
  EXPECT_EQ(description.name, "knn");
  EXPECT_EQ(description.version, "1.0.0");
  EXPECT_EQ(description.needs, (std::vector<std::string>{"features", "train"}));
  ASSERT_EQ(description.params.size(), 1u);
  EXPECT_EQ(description.params[0].name, "k");
  EXPECT_EQ(description.params[0].default_value, ParamValue(std::int64_t{50}));
  EXPECT_EQ(description.source_hash.size(), 32u);
  EXPECT_EQ(description.binary_hash.size(), 64u);
  EXPECT_EQ(description.build_tag.torch, kBuildTag.torch);
}

TEST(LoadPlugin, ReadsTheTraitsOfALoss) {
  const PluginDescription supcon = describe(load_plugin(good("supcon")));
  ASSERT_TRUE(supcon.traits.has_value());
  EXPECT_EQ(supcon.traits->views, 2);
  EXPECT_EQ(supcon.traits->head, "embedding");
  EXPECT_TRUE(supcon.traits->normalized_embedding);
  EXPECT_FALSE(describe(load_plugin(good("msp"))).traits.has_value());
  EXPECT_FALSE(supcon.traits->wants_auxiliary);
}

TEST(LoadPlugin, ReadsTheTraitsForGivenParameters) {
  const LoadedPlugin plugin = load_plugin(bad("wrong_loss"));
  EXPECT_EQ(traits_of(plugin, {}).views, 1);
  EXPECT_ERROR(traits_of(plugin, {{"result", std::string("traits")}}), ErrorKind::plugin, "views is 3");
  EXPECT_ERROR(traits_of(plugin, {{"result", std::string("throws")}}), ErrorKind::plugin, "loss 'wrong-loss'",
               "traits: traits cannot");
  EXPECT_ERROR(traits_of(plugin, {{"results", std::string("x")}}), ErrorKind::config, "unknown parameter 'results'");
  EXPECT_ERROR(traits_of(load_plugin(good("msp")), {}), ErrorKind::plugin, "asked for as a loss");
}

TEST(LoadPlugin, KnowsAFileParameter) {
  const ParamSchema params = load_plugin(good("cfood")).params();
  const auto picks = std::ranges::find(params, "picks", &ParamSpec::name);
  ASSERT_NE(picks, params.end());
  EXPECT_EQ(picks->type, ParamType::file);
}

TEST(LoadPlugin, ExportsOneSymbolAndIsNeverUnloaded) {
  for (const char* name : {"msp", "knn", "mds", "ce", "supcon", "reweightood"}) {
    const std::string symbols = output_of(std::string(NEARFAR_NM) + " -D --defined-only '" + good(name).string() + "'");
    EXPECT_NE(symbols.find(" T nearfar_plugin_info"), std::string::npos) << symbols;
    EXPECT_EQ(std::count(symbols.begin(), symbols.end(), '\n'), 1) << name << " exports\n" << symbols;
    const std::string dynamic = output_of(std::string(NEARFAR_READELF) + " -d '" + good(name).string() + "'");
    EXPECT_NE(dynamic.find("NODELETE"), std::string::npos) << dynamic;
    EXPECT_NE(dynamic.find("NOW"), std::string::npos) << dynamic;
    EXPECT_EQ(dynamic.find("RUNPATH"), std::string::npos) << dynamic;
  }
}

TEST(LoadPlugin, RefusesAMissingFile) {
  EXPECT_ERROR(load_plugin("nowhere/none.so"), ErrorKind::plugin, "nowhere/none.so", "no such file");
}

TEST(LoadPlugin, RefusesWhatIsNoLibrary) {
  const TempDir folder;
  std::ofstream(folder.path() / "text.so") << "just text";
  std::ofstream(folder.path() / "short.so") << "\x7f"
                                               "ELF";
  EXPECT_ERROR(load_plugin(folder.path() / "text.so"), ErrorKind::plugin, "text.so", "is not an ELF library",
               "nearfar_add_plugin()");
  EXPECT_ERROR(load_plugin(folder.path() / "short.so"), ErrorKind::plugin, "is truncated");
  EXPECT_ERROR(load_plugin(folder.path()), ErrorKind::plugin, "is a folder");
}

TEST(LoadPlugin, RefusesATruncatedLibraryAtEveryLength) {  // the dynamic linker itself would die of some of these
  const TempDir folder;
  const std::string whole = read_file(good("msp"));
  for (const std::size_t length :
       {std::size_t{65}, std::size_t{300}, std::size_t{2000}, std::size_t{5000}, whole.size() / 2}) {
    const fs::path cut = folder.path() / (std::to_string(length) + ".so");
    std::ofstream(cut, std::ios::binary) << whole.substr(0, length);
    EXPECT_ERROR(load_plugin(cut), ErrorKind::plugin, "is truncated");
  }
}

TEST(LoadPlugin, RefusesALibraryWithoutTheEntry) {
  EXPECT_ERROR(load_plugin(bad("no_entry")), ErrorKind::plugin, "no_entry.so", "has no note of nearfar");
  EXPECT_ERROR(load_plugin(bad("refused/missing_entry")), ErrorKind::plugin, "exports no symbol 'nearfar_plugin_v1'");
}

// Here LibTorch is loaded and asked itself; tests/host/plugin_file_test.cpp has the faults that need no LibTorch.
TEST(LoadPlugin, RefusesAFunctionThatThisLibTorchLacks) {
  EXPECT_ERROR(load_plugin(bad("refused/missing_symbol")), ErrorKind::plugin,
               "takes 'torch_from_the_future' from LibTorch", "no LibTorch from 2.9 to");
}

TEST(LoadPlugin, RefusesANoteThatIsNotTheDescriptors) {
  const TempDir folder;
  std::string content = read_file(good("msp"));
  const std::size_t at = content.find("version=");
  ASSERT_NE(at, std::string::npos);
  content[at + 8] = '7';  // 7.0.0
  const fs::path changed = folder.path() / "msp.so";
  std::ofstream(changed, std::ios::binary) << content;
  EXPECT_ERROR(load_plugin(changed), ErrorKind::plugin, "its note has version '7.0.0'", "its descriptor has '1.0.0'");
}

TEST(LoadPlugin, RefusesAnotherApi) {
  EXPECT_ERROR(load_plugin(bad("wrong_api")), ErrorKind::plugin, "plugin API 999",
               "this host has API " + std::to_string(NEARFAR_API_VERSION));
}

TEST(LoadPlugin, RefusesAnotherBuildNamingBothValues) {
  EXPECT_ERROR(load_plugin(bad("wrong_tag")), ErrorKind::plugin, "wrong_tag.so", "torch is '1.0.0'",
               std::string("this host has '") + kBuildTag.torch, "rebuild it");
}

TEST(LoadPlugin, RefusesAPluginWithoutAName) {
  EXPECT_ERROR(load_plugin(bad("no_name")), ErrorKind::plugin, "name is ''", "kebab-case");
}

TEST(LoadPlugin, RefusesASenselessParameterTable) {
  EXPECT_ERROR(load_plugin(bad("wrong_params")), ErrorKind::plugin, "parameter 2 ('percentile')",
               "its default 190 is outside 0 to 100");
}

}  // namespace
}  // namespace nearfar
