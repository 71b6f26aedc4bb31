#include "store/selection.h"

#include "base/error.h"

#include <gtest/gtest.h>

#include <string>

namespace nearfar {
namespace {

constexpr const char* kKey = "7c1e09aa55";

bool selects(const std::string& expression, const std::string& label = "ce/resnet8/s0 knn",
             CellKind kind = CellKind::eval) {
  return Selection(expression).matches(label, kind, kKey);
}

std::string refusal(const std::string& expression) {
  try {
    Selection{expression};
    return "none";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::config);
    return error.what();
  }
}

TEST(Selection, WordsAreWholeWordsOfTheLabel) {
  for (const char* yes :
       {"ce", "resnet8", "s0", "knn", "CE", "ce/resnet8/s0", "eval", "'ce/resnet8/s0 knn'", "resnet*"})
    EXPECT_TRUE(selects(yes)) << yes;
  for (const char* no : {"c", "resnet", "s1", "msp", "train", "s", "8"}) EXPECT_FALSE(selects(no)) << no;
  EXPECT_TRUE(selects("near/clothes", "ce/resnet8/s0 features of near/clothes", CellKind::features));
}

TEST(Selection, VersionsInALabelMayBeAskedFor) {
  const std::string label = "ce/resnet8/s0 knn@1.2.0";
  for (const char* yes : {"knn", "knn@1.2.0", "knn@>=1.2", "knn@^1.0", "not knn@<1.2", "KNN@>=1,<2"})
    EXPECT_TRUE(selects(yes, label)) << yes;
  for (const char* no : {"knn@1.0.0", "knn@>1.2", "mds@>=1", "nn@>=1"}) EXPECT_FALSE(selects(no, label)) << no;
  EXPECT_FALSE(selects("knn@>=1.2")) << "a label without a version";
  EXPECT_NE(refusal("knn@>=new").find("expected 1.2.0"), std::string::npos);
}

TEST(Selection, KeysAreMeantByTheirBeginning) {
  EXPECT_TRUE(selects("7c1e"));
  EXPECT_TRUE(selects("7C1E09"));
  EXPECT_FALSE(selects("7c1")) << "too short to mean a key";
  EXPECT_FALSE(selects("c1e09"));
}

TEST(Selection, NotBindsCloserThanAndCloserThanOr) {
  EXPECT_TRUE(selects("not msp and knn"));
  EXPECT_FALSE(selects("not (msp or knn)"));
  EXPECT_TRUE(selects("knn or supcon and s1"));
  EXPECT_FALSE(selects("(knn or supcon) and s1"));
  EXPECT_TRUE(selects("not not knn"));
}

TEST(Selection, QuotesKeepBracketsAndReservedWords) {
  EXPECT_TRUE(selects("\"f(x)\"", "a f(x)"));
  EXPECT_TRUE(selects("'not'", "a not"));
}

TEST(Selection, NothingSelectsEverything) {
  EXPECT_TRUE(Selection("  ").is_all());
  EXPECT_TRUE(selects(""));
}

TEST(Selection, WhatIsNoExpressionIsRefusedWithItsPlace) {
  EXPECT_NE(refusal("knn msp").find("found 'msp' at column 5"), std::string::npos) << refusal("knn msp");
  EXPECT_NE(refusal("knn and").find("found the end at column 8"), std::string::npos);
  EXPECT_NE(refusal("(knn").find("expected ')'"), std::string::npos);
  EXPECT_NE(refusal("or knn").find("found 'or'"), std::string::npos);
  EXPECT_NE(refusal("'knn").find("quotes"), std::string::npos);
  EXPECT_NE(refusal("knn)").find("found ')'"), std::string::npos);
  EXPECT_NE(refusal(std::string(500, '(') + "knn").find("fewer brackets"), std::string::npos);
  EXPECT_NE(refusal("O'Brien; DROP TABLE cell").find("expected"), std::string::npos);
}

}  // namespace
}  // namespace nearfar
