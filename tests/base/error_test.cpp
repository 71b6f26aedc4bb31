#include "base/error.h"

#include <gtest/gtest.h>

namespace nearfar {
namespace {

TEST(Error, HasTheExitCodeOfItsKind) {
  EXPECT_EQ(exit_code(ErrorKind::interrupted), 2);
  EXPECT_EQ(exit_code(ErrorKind::internal), 3);
  EXPECT_EQ(exit_code(ErrorKind::config), 4);
  EXPECT_EQ(exit_code(ErrorKind::nothing), 5);
  EXPECT_EQ(exit_code(ErrorKind::data), 6);
  EXPECT_EQ(exit_code(ErrorKind::plugin), 7);
  EXPECT_EQ(exit_code(ErrorKind::store), 8);
}

TEST(Error, KindNamesReadBack) {
  for (const ErrorKind kind : {ErrorKind::interrupted, ErrorKind::internal, ErrorKind::config, ErrorKind::nothing,
                               ErrorKind::data, ErrorKind::plugin, ErrorKind::store})
    EXPECT_EQ(kind_from_name(kind_name(kind)), kind);
  EXPECT_EQ(kind_from_name("no such kind"), ErrorKind::internal);
}

TEST(Assertion, NamesTheExpressionAndIsInternal) {
  try {
    NEARFAR_ASSERT(1 + 1 == 3);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::internal);
    EXPECT_NE(std::string(error.what()).find("1 + 1 == 3"), std::string::npos);
  }
}

}  // namespace
}  // namespace nearfar
