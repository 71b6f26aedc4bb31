#include "store/address.h"

#include "base/error.h"
#include "store/merge.h"
#include "store/upkeep.h"

#include <gtest/gtest.h>

#include <functional>
#include <vector>

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

TEST(DatabaseAddress, OfAServerIsRefusedByWhatWorksOnFiles) {
  const std::filesystem::path server = "postgresql://ann:s3cret@lab/ood";
  const std::vector<std::function<void()>> commands = {
      [&] { check_database(server, false); }, [&] { back_up_database(server, "copy.sqlite"); },
      [&] { collect_garbage(server, true); }, [&] { merge_databases(server, {}); },
      [&] { merge_databases("all.sqlite", std::vector{server}); }};
  for (const auto& command : commands) {
    try {
      command();
      ADD_FAILURE() << "it was not refused";
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::config);
      const std::string message = error.what();
      EXPECT_NE(message.find("is on a server"), std::string::npos) << message;
      EXPECT_EQ(message.find("s3cret"), std::string::npos) << message;
    }
  }
  EXPECT_FALSE(std::filesystem::exists("all.sqlite"));
  refuse_server("out/smoke/results.sqlite", "nearfar db check", "");  // a file: nothing to say
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
