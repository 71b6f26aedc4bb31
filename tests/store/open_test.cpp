/// What Session::open makes of files that are new, foreign, newer, damaged or out of reach.
#include "base/error.h"
#include "base/files.h"
#include "store/connect.h"
#include "store/sample.h"
#include "store/schema.h"

#include <SQLiteCpp/SQLiteCpp.h>
#include <fmt/core.h>
#include <gtest/gtest.h>
#include <sqlite3.h>
#include <sys/wait.h>
#include <unistd.h>

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
    return refusal([&] { Session::open(file_); });
  }
  std::string open_read_only() const {
    return refusal([&] { Session::open_read_only(file_); });
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
    Session session = Session::open(file_);
    testing::fill_sample(session);
  }
  EXPECT_EQ(Session::open(file_).results().cells().size(), 18u);
  EXPECT_EQ(Session::open_read_only(file_).results().cells("sample").size(), 18u);
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
  execute(fmt::format("PRAGMA user_version = {}", kSchemaVersion + 1));
  const std::string message = open();
  EXPECT_NE(message.find(fmt::format("schema version {}", kSchemaVersion + 1)), std::string::npos) << message;
  EXPECT_NE(message.find("newer nearfar"), std::string::npos) << message;
}

TEST_F(StoreOpen, RefusesAFileThatIsNoDatabase) {
  write_file_atomic(file_, std::string(5000, 'x'));
  EXPECT_NE(open().find("not an SQLite database"), std::string::npos);
}

TEST_F(StoreOpen, RefusesADamagedDatabase) {
  {
    Session session = Session::open(file_);
    testing::fill_sample(session);
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
  EXPECT_NE(refusal([&] { Session::open(folder_.path() / "plain" / "results.sqlite"); }), "");
}

TEST_F(StoreOpen, FileSystemWithoutSharedMemoryIsRefusedWithAdvice) {
  // SQLite's locks by "file.lock" files know no shared memory, as network file systems do not.
  sqlite3_vfs* const usual = sqlite3_vfs_find(nullptr);
  sqlite3_vfs* const without = sqlite3_vfs_find("unix-dotfile");
  ASSERT_NE(without, nullptr);
  sqlite3_vfs_register(without, 1);
  const std::string message = open();
  sqlite3_vfs_register(usual, 1);
  EXPECT_NE(message.find("local disk"), std::string::npos) << message;
  EXPECT_NE(message.find("wal"), std::string::npos) << message;
}

/// A folder that this user cannot write: root can write any, so a child process becomes nobody.
class UnwritableFolder : public StoreOpen {
 protected:
  /// Cells that a process which may only read the file sees; -1: none, because it was refused.
  int cells_seen_by_nobody(const std::filesystem::path& file) const {
    const pid_t child = fork();
    if (child == 0) {
      if (geteuid() == 0 && (setgid(65534) != 0 || setuid(65534) != 0)) _exit(254);
      int seen = 255;
      try {
        seen = static_cast<int>(Session::open_read_only(file).results().cells().size());
      } catch (const std::exception& error) {
        (void)fprintf(stderr, "%s\n", error.what());
      }
      _exit(seen);
    }
    int status = 0;
    waitpid(child, &status, 0);
    return WIFEXITED(status) && WEXITSTATUS(status) < 200 ? WEXITSTATUS(status) : -1;
  }
  void close_folder(const std::filesystem::path& folder) const {
    std::filesystem::permissions(folder_.path(), std::filesystem::perms{0755});
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
      if (entry.path().string().ends_with("-shm")) std::filesystem::remove(entry.path());
    }
    for (const auto& entry : std::filesystem::directory_iterator(folder))
      std::filesystem::permissions(entry.path(), std::filesystem::perms{0444});
    std::filesystem::permissions(folder, std::filesystem::perms{0555});
  }
  /// A database whose last transaction is in the -wal file only: a copy taken while its writer still has it open.
  void copy_with_unmerged_wal(const std::filesystem::path& to) const {
    const std::filesystem::path original = folder_.path() / "original.sqlite";
    Session session = Session::open(original);
    SQLite::Database(original.string(), SQLite::OPEN_READWRITE).exec("PRAGMA wal_checkpoint(TRUNCATE)");
    testing::fill_sample(session);
    std::filesystem::create_directories(to.parent_path());
    std::filesystem::copy_file(original, to);
    std::filesystem::copy_file(original.string() + "-wal", to.string() + "-wal");
  }
};

TEST_F(UnwritableFolder, IsReadAsItWasLeft) {
  {
    Session session = Session::open(file_);
    testing::fill_sample(session);
  }
  close_folder(file_.parent_path());
  EXPECT_EQ(cells_seen_by_nobody(file_), 18);
}

TEST_F(UnwritableFolder, UnmergedWalFileIsReadToo) {
  copy_with_unmerged_wal(file_);
  close_folder(file_.parent_path());
  EXPECT_EQ(cells_seen_by_nobody(file_), 18) << "not 0: the cells are in the -wal file";
}

TEST_F(UnwritableFolder, PathsMayHaveAnyCharacters) {
  const std::filesystem::path odd = folder_.path() / "50% of a?b #1" / "my results%41.sqlite";
  {
    Session session = Session::open(odd);
    testing::fill_sample(session);
  }
  EXPECT_EQ(Session::open_read_only(odd).results().cells().size(), 18u);
  close_folder(odd.parent_path());
  EXPECT_EQ(cells_seen_by_nobody(odd), 18);
}

TEST(ImmutableUri, EscapesWhatUrisReserve) {
  EXPECT_EQ(immutable_uri("/a b/50%?#/c-d_e.sqlite"), "file:///a%20b/50%25%3F%23/c-d_e.sqlite?immutable=1");
}

}  // namespace
}  // namespace nearfar
