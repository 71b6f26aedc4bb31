/// What Store::open makes of files that are new, foreign, newer or damaged.
#include "base/error.h"
#include "base/files.h"
#include "store/sample.h"
#include "store/schema.h"
#include "store/store.h"

#include <SQLiteCpp/SQLiteCpp.h>
#include <gtest/gtest.h>

#include <fstream>

namespace nearfar {
namespace {

/// The message of the Error(store) that opening throws; "" if it throws none.
template <class Open>
std::string refusal(Open open) {
  try {
    open();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::store);
    return error.what();
  }
  return "";
}

class StoreOpen : public ::testing::Test {
 protected:
  std::string open() const {
    return refusal([&] { Store::open(file_); });
  }
  std::string open_read_only() const {
    return refusal([&] { Store::open_read_only(file_); });
  }
  void execute(const std::string& sql) const {
    SQLite::Database(file_.string(), SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE).exec(sql);
  }

  TempDir folder_;
  std::filesystem::path file_ = folder_.path() / "deep" / "er" / "results.sqlite";
};

TEST_F(StoreOpen, MakesFoldersFileAndSchema) {
  ASSERT_EQ(open(), "");
  SQLite::Database raw(file_.string());
  EXPECT_EQ(raw.execAndGet("PRAGMA application_id").getInt(), kApplicationId);
  EXPECT_EQ(raw.execAndGet("PRAGMA user_version").getInt(), kSchemaVersion);
  EXPECT_EQ(raw.execAndGet("PRAGMA journal_mode").getString(), "wal");
  EXPECT_EQ(
      raw.execAndGet("SELECT count(*) FROM pragma_table_list WHERE schema = 'main' AND type = 'table' AND strict = 0"
                     " AND name NOT LIKE 'sqlite_%'")
          .getInt(),
      0)
      << "every table is STRICT";
}

TEST_F(StoreOpen, KeepsWhatIsThere) {
  {
    Store store = Store::open(file_);
    testing::fill_sample(store);
  }
  EXPECT_EQ(Store::open(file_).cells().size(), 14u);
  EXPECT_EQ(Store::open_read_only(file_).cells("sample").size(), 14u);
}

TEST_F(StoreOpen, RefusesTheDatabaseOfAnotherProgramAndLeavesItAlone) {
  std::filesystem::create_directories(file_.parent_path());
  execute("PRAGMA application_id = 42; CREATE TABLE precious(x)");
  const std::string before = read_file(file_);
  EXPECT_NE(open().find("another program"), std::string::npos);
  EXPECT_NE(open_read_only().find("another program"), std::string::npos);
  EXPECT_EQ(read_file(file_), before);
}

TEST_F(StoreOpen, RefusesAnUnmarkedDatabaseWithTables) {
  std::filesystem::create_directories(file_.parent_path());
  execute("CREATE TABLE precious(x)");
  EXPECT_NE(open().find("another program"), std::string::npos);
}

TEST_F(StoreOpen, RefusesANewerSchema) {
  ASSERT_EQ(open(), "");
  execute("PRAGMA user_version = 2");
  const std::string message = open();
  EXPECT_NE(message.find("schema version 2"), std::string::npos) << message;
  EXPECT_NE(message.find("newer nearfar"), std::string::npos) << message;
}

TEST_F(StoreOpen, RefusesAFileThatIsNoDatabase) {
  write_file_atomic(file_, std::string(5000, 'x'));
  EXPECT_NE(open().find("not an SQLite database"), std::string::npos);
}

TEST_F(StoreOpen, RefusesADamagedDatabase) {
  {
    Store store = Store::open(file_);
    testing::fill_sample(store);
  }
  std::string bytes = read_file(file_);
  ASSERT_GT(bytes.size(), 40'000u);
  for (std::size_t i = 8192; i < bytes.size(); i += 2) bytes[i] = '\x5a';
  write_file_atomic(file_, bytes);
  const std::string message = open();
  EXPECT_NE(message.find("damaged"), std::string::npos) << message;
  EXPECT_NE(message.find(file_.string()), std::string::npos) << message;
}

TEST_F(StoreOpen, ReadOnlyNeedsADatabase) {
  EXPECT_NE(open_read_only().find("no results database"), std::string::npos);
  EXPECT_FALSE(std::filesystem::exists(file_));
}

TEST_F(StoreOpen, FolderThatCannotBeMadeIsSaid) {
  write_file_atomic(folder_.path() / "plain", "a file");
  EXPECT_NE(refusal([&] { Store::open(folder_.path() / "plain" / "results.sqlite"); }), "");
}

}  // namespace
}  // namespace nearfar
