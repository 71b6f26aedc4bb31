#include "base/set_name.h"

#include <gtest/gtest.h>

namespace nearfar {
namespace {

TEST(SetName, ReadsAndPrintsEveryKindOfName) {
  const auto reads = [](const char* text, const char* group, const char* name) {
    const std::optional<SetName> found = parse_set_name(text);
    EXPECT_TRUE(found == (SetName{group, name})) << text;
    EXPECT_EQ(found.value_or(SetName{}).text(), text);
  };
  for (const char* id : {"train", "val", "test"}) reads(id, "id", id);
  reads("ood_val", "ood_val", "ood_val");
  reads("near/mnist", "near", "mnist");
  reads("far/places-365_v1.0", "far", "places-365_v1.0");
  reads("csid/train", "csid", "train");  // a named set may be called like a fixed one
  reads("control/noise", "control", "noise");
}

TEST(SetName, RefusesWhatNamesNoSet) {
  for (const char* text : {"", "trian", "near", "near/", "/mnist", "id/train", "ood_val/x", "near/.mnist.0f.tmp",
                           "near/a/b", "near/a b", "near/ä", "Near/mnist"})
    EXPECT_FALSE(parse_set_name(text)) << text;
}

TEST(SetName, TellsWhichSideAGroupIsOn) {
  for (const std::string_view group : {groups::kNear, groups::kFar, groups::kControl}) EXPECT_TRUE(is_ood_group(group));
  for (const std::string_view group : {groups::kId, groups::kCsid, groups::kOodVal}) EXPECT_FALSE(is_ood_group(group));
  for (const std::string_view group : {groups::kId, groups::kCsid}) EXPECT_TRUE(is_labelled_group(group));
  for (const std::string_view group : {groups::kNear, groups::kOodVal}) EXPECT_FALSE(is_labelled_group(group));
}

}  // namespace
}  // namespace nearfar
