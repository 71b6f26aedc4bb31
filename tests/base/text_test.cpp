#include "base/text.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <limits>

namespace nearfar {
namespace {

TEST(Text, SplitKeepsEmptyParts) { EXPECT_EQ(split("a,,b,", ','), (std::vector<std::string>{"a", "", "b", ""})); }

TEST(Text, TrimTakesBlanksFromBothEnds) {
  EXPECT_EQ(trim(" \t a b\r\n"), "a b");
  EXPECT_EQ(trim("  "), "");
}

TEST(Text, SuggestionIsTheNearestNameOrNothing) {
  const std::vector<std::string> names{"temperature", "percentile", "k"};
  EXPECT_EQ(suggestion("temprature", names), "; did you mean 'temperature'?");
  EXPECT_EQ(suggestion("utterly-different", names), "");
}

TEST(Text, NumbersReadBackAndAreShort) {
  EXPECT_EQ(number_text(0.1), "0.1");
  EXPECT_EQ(number_text(50), "50");
  EXPECT_EQ(number_text(1e-6), "1e-06");
  EXPECT_EQ(number_text(-std::numeric_limits<double>::infinity()), "-inf");
  for (const double value : {1.0 / 3.0, 5e-324, 1.7976931348623157e308})
    EXPECT_EQ(std::strtod(number_text(value).c_str(), nullptr), value);
}

TEST(Text, PluginKeyAcceptsOpenOodsSpelling) { EXPECT_EQ(plugin_key("temp_scaling"), "temp-scaling"); }

TEST(Text, NaturalOrderKnowsNumbers) {
  std::vector<std::string> names{"a10", "b", "a2", "a02", "a", "10", "9", "a2b", "é", "00012", "12"};
  std::sort(names.begin(), names.end(), natural_less);
  EXPECT_EQ(names, (std::vector<std::string>{"9", "10", "00012", "12", "a", "a02", "a2", "a2b", "a10", "b", "é"}));
  EXPECT_TRUE(natural_less("99999999999999999999998", "99999999999999999999999"));  // wider than any integer
  EXPECT_FALSE(natural_less("x", "x"));
}

TEST(Text, SeedsAreLeftOutOfLabels) {
  EXPECT_EQ(without_seed("ce/resnet8/s0 msp"), "ce/resnet8 msp");
  EXPECT_EQ(without_seed("needs logits; supcon/resnet8/s12 has none"), "needs logits; supcon/resnet8 has none");
  EXPECT_EQ(without_seed("a/s1"), "a");
  for (const char* kept : {"a/s1b", "a/s", "/sets/x", ""}) EXPECT_EQ(without_seed(kept), kept);
}

TEST(Text, ClipsBetweenCharacters) {
  EXPECT_EQ(clipped("a±b", 3), "a±b");
  EXPECT_EQ(clipped("a±b", 2), "a±");
  EXPECT_EQ(clipped("a±b", 1), "a");
  EXPECT_EQ(clipped("±", 0), "");
  EXPECT_EQ(clipped("", 5), "");
}

TEST(Text, BytesAreReadInBothBases) {
  EXPECT_EQ(bytes_from_text("4GiB"), std::int64_t{4} << 30);
  EXPECT_EQ(bytes_from_text(" 512 MiB "), std::int64_t{512} << 20);
  EXPECT_EQ(bytes_from_text("1.5K"), 1536);
  EXPECT_EQ(bytes_from_text("2GB"), 2'000'000'000);
  EXPECT_EQ(bytes_from_text("3kB"), 3000);
  EXPECT_EQ(bytes_from_text("77"), 77);
  EXPECT_EQ(bytes_from_text("77B"), 77);
  for (const char* wrong : {"", "GiB", "4 gibibytes", "-1GiB", "4GiBs", "4XB", "nan", "inf", "1e3", "9999999TiB"})
    EXPECT_EQ(bytes_from_text(wrong), std::nullopt) << wrong;
}

TEST(Text, BytesAreWrittenWithThreeDigits) {
  EXPECT_EQ(bytes_text(0), "0 B");
  EXPECT_EQ(bytes_text(999), "999 B");
  EXPECT_EQ(bytes_text(1536), "1.5 KiB");
  EXPECT_EQ(bytes_text(std::int64_t{700} << 20), "700 MiB");
  EXPECT_EQ(bytes_text(std::int64_t{4} << 30), "4 GiB");
}

TEST(Text, TableAlignsByCodePoints) {
  EXPECT_EQ(table({{"name", "value"}, {"a ± b", "1"}, {"x", "10"}}, {false, true}),
            "name   value\n"
            "a ± b      1\n"
            "x         10\n");
}

}  // namespace
}  // namespace nearfar
