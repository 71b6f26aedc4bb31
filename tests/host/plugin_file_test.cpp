#include "host/plugin_file.h"

#include "library_copy.h"

#include <gtest/gtest.h>

namespace nearfar {
namespace {

using testing::bad_plugin;
using testing::good_plugin;
using testing::patched;
using testing::refused_plugin;

PluginFault fault_of(const std::filesystem::path& file) {
  const auto fault = plugin_fault(read_plugin_file(file), this_host(false));
  EXPECT_TRUE(fault.has_value()) << file << " would be taken";
  return fault.value_or(PluginFault{});
}

/// Of a good plugin in which `from` is `to`.
PluginFault fault_with(std::string_view from, std::string_view to) {
  const TempDir folder;
  const std::filesystem::path file = folder.path() / "changed.so";
  testing::write(file, patched(read_file(good_plugin("msp")), from, to));
  return fault_of(file);
}

TEST(PluginFileFault, TakesOurOwnPlugins) {
  for (const char* name : {"msp", "knn", "supcon"})
    EXPECT_EQ(plugin_file_fault(good_plugin(name), this_host(false)), "");
}

TEST(PluginFileFault, ReadsWhatThePluginSays) {
  const PluginFile file = read_plugin_file(good_plugin("knn"));
  ASSERT_TRUE(file.note.has_value()) << file.fault->text();
  EXPECT_EQ(file.note->tier, PluginTier::exact);
  EXPECT_EQ(file.note->name, "knn");
  EXPECT_EQ(file.note->params.at(0).name, "k");
  EXPECT_EQ(torch_range(file).text(), file.note->build_tag.torch + " only");
}

TEST(PluginFileFault, SaysFoundWantedAndFix) {
  const std::string text = plugin_file_fault(bad_plugin("wrong_tag"), this_host(false));
  const std::string here = this_host(false).tag.torch;
  EXPECT_EQ(text, "plugin " + bad_plugin("wrong_tag").string() + ": build tag: torch is '1.0.0'; this host has '" +
                      here +
                      "'; rebuild it with nearfar_add_plugin() against this installation, or build it in tier stable, "
                      "which runs on many LibTorch versions");
}

TEST(PluginFileFault, RefusesALibraryWithoutOneNote) {
  EXPECT_EQ(fault_of(bad_plugin("no_entry")).found, "has no note of nearfar");
  EXPECT_EQ(fault_of(refused_plugin("two_notes")).found, "has 2 notes of nearfar");
  EXPECT_EQ(fault_of(refused_plugin("future_note")).found, "its note begins with 'note=2'");
}

TEST(PluginFileFault, RefusesWhatTheNoteMayNotSay) {
  EXPECT_EQ(fault_of(refused_plugin("unknown_tier")).found, "its tier is 'd'");
  EXPECT_EQ(fault_of(refused_plugin("unknown_kind")).found, "its kind is 'filter'");
  EXPECT_EQ(fault_of(bad_plugin("no_name")).found, "name is ''");
  EXPECT_EQ(fault_of(bad_plugin("wrong_params")).found,
            "parameter 2 ('percentile'): its default 190 is outside 0 to 100");
}

TEST(PluginFileFault, RefusesAnotherBuildOfTierExact) {
  const HostFacts host = this_host(false);
  EXPECT_EQ(fault_of(bad_plugin("wrong_api")).found, "made for plugin API 999");
  EXPECT_EQ(fault_with("cxx_abi=1", "cxx_abi=0").wanted, "this host has '1'");
  EXPECT_EQ(fault_with("compiler=" + host.tag.compiler.substr(0, 2), "compiler=zz").wanted,
            "this host has '" + host.tag.compiler + "'");
  EXPECT_EQ(fault_with("standard=202", "standard=201").wanted, "this host has '" + host.tag.standard + "'");
  EXPECT_EQ(fault_with("sdk=" + host.tag.sdk, "sdk=" + std::string(host.tag.sdk.size(), '0')).wanted,
            "this host has '" + host.tag.sdk + "'");
}

TEST(PluginFileFault, RefusesANewerBoundary) {
  EXPECT_EQ(fault_of(refused_plugin("newer_abi")).found, "made for plugin ABI 2");
  EXPECT_EQ(fault_of(refused_plugin("newer_torch")).found, "built for LibTorch 2.99 and newer");
}

TEST(PluginFileFault, RefusesAnythingButTheOneExport) {
  EXPECT_EQ(fault_of(refused_plugin("extra_export")).found, "exports 'helper'");
  EXPECT_EQ(fault_of(refused_plugin("missing_entry")).found, "exports no symbol 'nearfar_plugin_v1'");
}

TEST(PluginFileFault, RefusesLibrariesThatAreNowhere) {
  const PluginFault fault = fault_of(refused_plugin("missing_library"));
  EXPECT_EQ(fault.found, "needs the library 'libnearfar_absent.so.1', which is not on this system");
  EXPECT_EQ(fault.fix, "install libnearfar_absent.so.1, or link it statically");
}

TEST(PluginFileFault, NamesTheLibTorchThatHasAFunction) {
  HostFacts host = this_host(false);
  host.tag.torch = "2.11.0";
  const PluginFile later = read_plugin_file(refused_plugin("later_symbol"));
  const auto fault = plugin_fault(later, host);
  ASSERT_TRUE(fault.has_value());
  EXPECT_EQ(fault->found, "takes 'torch_has_storage' from LibTorch, which 2.11.0 does not have");
  EXPECT_EQ(fault->wanted, "LibTorch 2.14 and newer has it");
  EXPECT_EQ(torch_range(later).first, (TorchVersion{2, 14}));
  EXPECT_EQ(torch_range(later).decisive, std::vector<std::string>{"torch_has_storage"});
  host.tag.torch = "2.15.0";
  EXPECT_FALSE(plugin_fault(later, host).has_value());
}

TEST(PluginFileFault, RefusesNamesThatAreNowhere) {
  const PluginFault fault = fault_of(refused_plugin("missing_symbol"));
  EXPECT_NE(fault.found.find("takes 'torch_from_the_future'"), std::string::npos);
  EXPECT_NE(fault.wanted.find("no LibTorch from 2.9 to "), std::string::npos);
  EXPECT_FALSE(torch_range(read_plugin_file(refused_plugin("missing_symbol"))).unknown.empty());
  EXPECT_NE(fault_with("GLIBC_2.2.5", "GLIBC_9.9.9").found.find("@GLIBC_9.9.9'"), std::string::npos);
}

TEST(PluginFileFault, KeepsTheTiersToWhatTheyMayTake) {
  EXPECT_EQ(fault_of(refused_plugin("torch_in_c")).found, "is of tier c and takes 'torch_from_blob' from LibTorch");
  EXPECT_EQ(fault_of(refused_plugin("torch_cxx")).wanted,
            "expected of LibTorch only functions torch_* and aoti_torch_*");
}

}  // namespace
}  // namespace nearfar
