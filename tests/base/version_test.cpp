#include "base/version.h"

#include "base/error.h"

#include <gtest/gtest.h>

namespace nearfar {
namespace {

TEST(Versions, AreOrderedAsSemanticVersionsAre) {
  // https://semver.org/#spec-item-11 has the first line of pre-releases.
  const char* const kAscending[] = {"0.9",
                                    "1.0.0-alpha",
                                    "1.0.0-alpha.1",
                                    "1.0.0-alpha.beta",
                                    "1.0.0-beta",
                                    "1.0.0-beta.2",
                                    "1.0.0-beta.11",
                                    "1.0.0-rc.1",
                                    "1.0.0",
                                    "1.0.1",
                                    "1.2",
                                    "1.10.0-rc.1",
                                    "1.10",
                                    "2",
                                    "99999999999999999999999"};
  for (std::size_t i = 0; i < std::size(kAscending); ++i) {
    for (std::size_t k = 0; k < std::size(kAscending); ++k)
      EXPECT_EQ(compare_versions(kAscending[i], kAscending[k]), i <=> k) << kAscending[i] << " " << kAscending[k];
  }
  EXPECT_EQ(compare_versions("1.2", "1.2.0"), std::weak_ordering::equivalent);
  EXPECT_EQ(compare_versions("1.2.0+a", "1.2.0+b"), std::weak_ordering::equivalent);
}

TEST(VersionRequirement, AcceptsWhatTheHeaderSays) {
  struct Case {
    const char *requirement, *version;
    bool accepted;
  };
  for (const Case& one : {Case{"1.2.0", "1.2.0", true},   {"1.2.0", "1.2.1", false},
                          {"=1.2.0", "1.2", true},        {"1.2.0", "1.2.0-rc.1", false},
                          {"1.2", "1.2.9", true},         {"1.2", "1.3.0", false},
                          {"1.2", "1.3.0-rc.1", false},   {"1.9", "1.9.3", true},
                          {"1.9", "1.10.0", false},       {">=1.2", "1.2.0", true},
                          {">=1.2", "1.2.0-rc.1", false}, {">=1.2", "3", true},
                          {">1.2", "1.2.5", false},       {">1.2", "1.3.0", true},
                          {">1.2.0", "1.2.1", true},      {"<2", "1.99", true},
                          {"<2", "2.0.0-rc.1", false},    {"<=1.2", "1.2.7", true},
                          {"<=1.2", "1.3.0", false},      {"<=1.2.0", "1.2.1", false},
                          {">=1.2,<2", "1.5", true},      {">=1.2,<2", "2.0", false},
                          {"^1.2", "1.9", true},          {"^1.2", "2.0.0", false},
                          {"^0.2", "0.2.9", true},        {"^0.2", "0.3.0", false},
                          {"^0.0.3", "0.0.4", false},     {"2.0.0-rc.1", "2.0.0-rc.1", true},
                          {"2.0.0-rc.1", "2.0.0", false}}) {
    EXPECT_EQ(VersionRequirement(one.requirement).accepts(one.version), one.accepted)
        << one.requirement << " " << one.version;
  }
  EXPECT_TRUE(VersionRequirement().accepts("anything"));
}

TEST(VersionRequirement, RefusesWhatIsNone) {
  for (const char* wrong : {"", "x", ">=", "1.2.x", "~1.2", ">=1,", "=>1", "!=1", "1..2", "latest"}) {
    try {
      static_cast<void>(VersionRequirement(wrong));
      ADD_FAILURE() << wrong;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::config);
      EXPECT_NE(std::string(error.what()).find("expected 1.2.0"), std::string::npos) << error.what();
    }
  }
}

TEST(WantedPlugin, IsANameAndARequirement) {
  EXPECT_EQ(wanted_plugin("temp_scaling").text(), "temp-scaling");
  EXPECT_EQ(wanted_plugin(" knn @ >= 1.2 , < 2").text(), "knn@>=1.2,<2");
  EXPECT_THROW(wanted_plugin("knn@"), Error);
}

}  // namespace
}  // namespace nearfar
