#include "report/plugin_bench.h"

#include "base/error.h"

#include <gtest/gtest.h>

#include <cstddef>
#include <string>
#include <vector>

namespace nearfar {
namespace {

/// Seven samples around `seconds`, 1 % apart.
BenchedSide side(double seconds) {
  BenchedSide made;
  for (int i = -3; i <= 3; ++i) made.seconds.push_back(seconds * (1 + 0.01 * i));
  return made;
}

BenchedMeasure measure(const std::string& name, double subject, double reference) {
  return {.name = name, .rows = 100, .subject = side(subject), .reference = side(reference)};
}

/// One size with a fit and a score.
PluginBench bench(double fit, double score, double reference = 1) {
  PluginBench made{.kind = "postprocessor", .input = "features", .repeat = 7};
  made.subject = {.name = "mine", .version = "1.0.0", .tier = "stable", .binary_hash = "aa"};
  made.reference = {.name = "knn", .version = "1.0.0", .tier = "exact", .binary_hash = "bb", .params = "k=50"};
  made.machine = {.cpu = "a processor", .device = "cpu", .cores = 2, .threads = 1, .build_type = "Release"};
  made.sizes = {{.name = "small", .train = 1000, .width = 64, .classes = 10, .rows = 100}};
  made.sizes[0].measures = {measure("fit", fit, reference), measure("score", score, reference)};
  return made;
}

TEST(PluginBench, ATimeOfTwiceAsMuchIsSlowerAndItsReverseFaster) {
  const BenchComparison there = compare_benches(bench(1, 1), bench(2, 1), {});
  ASSERT_EQ(there.rows.size(), 2U);
  EXPECT_EQ(there.rows[0].verdict, "slower");
  EXPECT_NEAR(there.rows[0].ratio.estimate, 2, 1e-9);
  EXPECT_EQ(there.rows[1].verdict, "");
  EXPECT_TRUE(there.regression());
  const BenchComparison back = compare_benches(bench(2, 1), bench(1, 1), {});
  EXPECT_EQ(back.rows[0].verdict, "faster");
  EXPECT_FALSE(back.regression());
}

TEST(PluginBench, WhatIsWithinTheThresholdIsNoChange) {
  EXPECT_FALSE(compare_benches(bench(1, 1), bench(2, 1), {.threshold = 1.5}).regression());
  EXPECT_FALSE(compare_benches(bench(1, 1), bench(1.05, 1), {}).regression());
}

// The whole machine was three times as slow: the reference says so.
TEST(PluginBench, ASlowerMachineIsNoRegression) {
  const BenchComparison same = compare_benches(bench(1, 1), bench(3, 3, 3), {});
  EXPECT_TRUE(same.rows[0].by_reference);
  EXPECT_NEAR(same.rows[0].ratio.estimate, 1, 1e-9);
  EXPECT_FALSE(same.regression());
  PluginBench other = bench(3, 3, 3);
  other.reference.binary_hash = "cc";  // another file: its times say nothing about A's
  EXPECT_TRUE(compare_benches(bench(1, 1), other, {}).regression());
}

TEST(PluginBench, OneSampleSaysNothing) {
  PluginBench a = bench(1, 1), b = bench(9, 9);
  for (PluginBench* one : {&a, &b}) {
    for (BenchedMeasure& some : one->sizes[0].measures)
      some.subject->seconds.resize(1), some.reference->seconds.resize(1);
  }
  EXPECT_FALSE(compare_benches(a, b, {}).regression());
}

TEST(PluginBench, WhatOneOfThemLacksIsToldAndNotCompared) {
  PluginBench b = bench(1, 1);
  b.sizes[0].measures.erase(b.sizes[0].measures.begin());
  const BenchComparison comparison = compare_benches(bench(1, 1), b, {});
  EXPECT_EQ(comparison.rows.size(), 1U);
  EXPECT_EQ(comparison.left_out, std::vector<std::string>{"small fit: in A alone"});
}

TEST(PluginBench, OtherMachinesAndKindsAreRefused) {
  PluginBench b = bench(1, 1);
  b.machine.threads = 8;
  EXPECT_THROW(compare_benches(bench(1, 1), b, {}), Error);
  EXPECT_EQ(compare_benches(bench(1, 1), b, {.force = true}).differences, std::vector<std::string>{"threads: 1 and 8"});
  b.kind = "loss";
  EXPECT_THROW(compare_benches(bench(1, 1), b, {.force = true}), Error);
}

TEST(PluginBench, ADocumentComesBackAsItWas) {
  PluginBench made = bench(1, 0.5);
  made.sizes[0].measures[0].reference.reset();
  made.sizes[0].measures[1].subject->peak_bytes = 4096;
  const std::string text = plugin_bench_json(made);
  EXPECT_TRUE(is_plugin_bench(text));
  EXPECT_EQ(plugin_bench_json(plugin_bench_from_json(text, "x.json")), text);
}

TEST(PluginBench, DamagedDocumentsAreRefusedWithTheirName) {
  const std::string text = plugin_bench_json(bench(1, 1));
  const auto with = [&](const std::string& from, const std::string& to) {
    std::string other = text;
    const std::size_t at = other.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    return other.replace(at, from.size(), to);
  };
  for (const std::string& bad :
       {text.substr(0, text.size() / 2), with("\"version\": 1\n", "\"version\": 2\n"),
        with("\"repeat\": 7", "\"repeat\": \"x\""), with("\"seconds\": [", "\"seconds\": [-1,"), std::string("{}")}) {
    try {
      plugin_bench_from_json(bad, "x.json");
      ADD_FAILURE() << bad;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::data);
      EXPECT_EQ(std::string(error.what()).find("x.json"), 0U) << error.what();
    }
  }
}

}  // namespace
}  // namespace nearfar
