#include "models/mapping.h"

#include "base/error.h"
#include "base/files.h"
#include "support/golden.h"

#include <gtest/gtest.h>

namespace nearfar {
namespace {

using Runs = std::vector<std::string_view>;

TEST(Pattern, StarsStandForAnyRun) {
  EXPECT_EQ(match_pattern("fc.*", "fc.weight"), Runs{"weight"});
  EXPECT_EQ(match_pattern("*", ""), Runs{""});
  EXPECT_EQ(match_pattern("*.mlp.linear_1.*", "encoder.0.mlp.linear_1.bias"), (Runs{"encoder.0", "bias"}));
  EXPECT_EQ(match_pattern("tau", "tau"), Runs{});
  EXPECT_EQ(match_pattern("fc.*", "rot_fc.weight"), std::nullopt);
  EXPECT_EQ(match_pattern("*.weight", "a.weight.b"), std::nullopt);
  EXPECT_EQ(match_pattern("a*b", "ab"), Runs{""});
  EXPECT_EQ(match_pattern("a", "ab"), std::nullopt);
}

TEST(Pattern, TheFirstRuleThatMatchesDecides) {
  Mapping mapping;
  mapping.rename = {{"fc.*", "head.*"}, {"*.linear_1.*", "backbone.*.0.*"}};
  EXPECT_EQ(renamed(mapping, "fc.bias"), "head.bias");
  EXPECT_EQ(renamed(mapping, "a.b.linear_1.weight"), "backbone.a.b.0.weight");
  EXPECT_EQ(renamed(mapping, "conv1.weight"), std::nullopt);
}

class Mappings : public ::testing::Test {
 protected:
  std::string refusal(const std::string& text) {
    write_file_atomic(folder_.path() / "m.toml", text);
    try {
      read_mappings(folder_.path());
      return "";
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::config);
      return error.what();
    }
  }
  TempDir folder_;
};

TEST_F(Mappings, ShippedOnesAreRead) {
  const std::vector<Mapping> mappings = read_mappings(testing::source_dir() / "configs/models");
  EXPECT_GE(mappings.size(), 6u);
  for (const Mapping& mapping : mappings) EXPECT_FALSE(mapping.summary.empty()) << mapping.name;
}

TEST_F(Mappings, MistakesAreNamedWithTheirPlace) {
  const std::string good = "architectures = ['resnet8']\n[[head]]\ntensor = 'head.weight'\nkind = 'linear'\n";
  EXPECT_EQ(refusal(good), "");
  const struct {
    const char* says;
    std::string text;
  } cases[] = {
      {"unknown key 'archs'", "archs = []\n" + good},
      {"did you mean 'resnet50'", "architectures = ['resnet51']\n[[head]]\ntensor = 'head.weight'\nkind = 'linear'\n"},
      {"different numbers of *", good + "[[rename]]\nfrom = 'a.*'\nto = 'b'\n"},
      {"[[rename]] without 'to'", good + "[[rename]]\nfrom = 'a.*'\n"},
      {"kind", good + "[[head]]\ntensor = 'a'\nkind = 'cosine'\n"},
      {"'projection' belongs to", good + "[[head]]\ntensor = 'a'\nkind = 'embedding'\n"},
      {"at least one [[head]]", "architectures = ['resnet8']\n"},
      {"expected [[rename]] tables", "rename = 3\n" + good},
      {"m.toml:1:", "architectures = [\n"},
  };
  for (const auto& one : cases) {
    const std::string message = refusal(one.text);
    EXPECT_NE(message.find(one.says), std::string::npos) << "wanted '" << one.says << "' in '" << message << "'";
    EXPECT_NE(message.find("m.toml"), std::string::npos) << message;
  }
  EXPECT_THROW(read_mappings(folder_.path() / "none"), Error);
}

}  // namespace
}  // namespace nearfar
