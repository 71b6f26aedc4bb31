#include "store/address.h"

#include "base/error.h"

#include <gtest/gtest.h>

namespace nearfar {
namespace {

TEST(DatabaseAddress, IsAFileUnlessItSaysPostgresql) {
  EXPECT_TRUE(is_server("postgresql://ann@lab/ood"));
  EXPECT_TRUE(is_server("postgres://lab/ood"));
  EXPECT_FALSE(is_server("out/smoke/results.sqlite"));
  EXPECT_FALSE(is_server("postgresql"));
  EXPECT_EQ(shown_database("out/x/results.sqlite"), "out/x/results.sqlite");
}

TEST(DatabaseAddress, IsShownWithoutPasswordAndSettings) {
  EXPECT_EQ(shown_database("postgresql://ann:s3cret@lab:5433/ood?sslmode=require"), "postgresql://ann@lab:5433/ood");
  EXPECT_EQ(shown_database("postgres://lab/ood?user=ann&password=s3cret"), "postgresql://ann@lab/ood");
  EXPECT_EQ(shown_database("postgresql://ann@%2Frun%2Fpg/ood"), "postgresql://ann@%2Frun%2Fpg/ood");
  EXPECT_EQ(shown_database("postgresql:///ood"), "postgresql:///ood");
}

std::string refusal(const std::string& address) {
  try {
    (void)shown_database(address);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::config);
    return error.what();
  }
  return "";
}

TEST(DatabaseAddress, ThatCannotBeReadIsRefusedWithoutRepeatingIt) {
  EXPECT_NE(refusal("postgresql://lab").find("names no database"), std::string::npos);
  EXPECT_NE(refusal("postgresql://lab/ood?colour=red").find("colour"), std::string::npos) << "says what it is about";
  const std::string message = refusal("postgresql://ann:s3cret%zz@lab/ood");
  EXPECT_NE(message.find("expected postgresql://USER@HOST/NAME"), std::string::npos) << message;
  EXPECT_EQ(message.find("s3cret"), std::string::npos) << message;
}

}  // namespace
}  // namespace nearfar
