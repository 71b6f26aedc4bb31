/// Shards that somebody made to do harm, or that are damaged: each is refused as a whole, by name, and nothing of it
/// reaches the merged database.
#include "base/error.h"
#include "store/schema.h"
#include "store/shard_sample.h"

#include <gtest/gtest.h>
#include <sqlite3.h>

#include <random>

namespace nearfar {
namespace {

namespace fs = std::filesystem;

struct Attack {
  const char* name;
  const char* sql;       ///< what is done to the shard
  const char* expected;  ///< in the refusal
};

void PrintTo(const Attack& attack, std::ostream* out) { *out << attack.name; }

class Hostile : public ::testing::TestWithParam<Attack> {
 protected:
  Hostile() {
    testing::ShardMaker bad(bad_.parent_path());
    bad.session().in_transaction([&] { bad.all(); });
    { Session::open(all_); }
    before_ = testing::dump_of(all_);
  }
  void change(const char* sql) const {
    SQLite::Database database(bad_.string(), SQLite::OPEN_READWRITE);
    sqlite3_db_config(database.getHandle(), SQLITE_DBCONFIG_DEFENSIVE, 0, nullptr);
    database.exec("PRAGMA foreign_keys = OFF");
    database.exec(sql);
  }
  std::string refusal() const {
    try {
      merge_databases(all_, std::vector{bad_}, {});
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::store);
      return error.what();
    }
    return "";
  }

  TempDir folder_;
  fs::path bad_ = folder_.path() / "bad" / "results.sqlite", all_ = folder_.path() / "all.sqlite";
  std::string before_;
};

TEST_P(Hostile, IsRefusedAsAWhole) {
  change(GetParam().sql);
  const std::string message = refusal();
  EXPECT_NE(message.find(GetParam().expected), std::string::npos) << message;
  EXPECT_NE(message.find(bad_.string()), std::string::npos) << message;
  EXPECT_EQ(message.find('\x1b'), std::string::npos) << "no control characters reach the terminal";
  EXPECT_TRUE(testing::dump_of(all_) == before_) << "something of it was merged";
}

constexpr Attack kAttacks[] = {
    {"Trigger", "CREATE TRIGGER t AFTER INSERT ON event BEGIN DELETE FROM cell; END", "trigger 't'"},
    {"ViewOfItsOwn", "CREATE VIEW v AS SELECT load_extension('/x.so')", "view 'v'"},
    {"ViewInPlaceOfATable", "DROP TABLE event; CREATE VIEW event AS SELECT 1 AS id", "view 'event'"},
    {"ChangedView", "DROP VIEW v_valid_run; CREATE VIEW v_valid_run AS SELECT * FROM run", "view 'v_valid_run'"},
    {"VirtualTable", "CREATE VIRTUAL TABLE words USING fts5(word)", "words"},
    {"ExtraTable", "CREATE TABLE luggage(x BLOB)", "table 'luggage'"},
    {"ExtraColumn", "ALTER TABLE run ADD COLUMN luggage BLOB", "table 'run'"},
    {"MissingTable", "DROP TABLE tune_point", "lacks table 'tune_point'"},
    {"ExpressionIndex", "CREATE INDEX i ON run(length(message))", "index 'i'"},
    {"NewerSchema", "PRAGMA user_version = 99", "schema version 99"},
    {"AnotherProgram", "PRAGMA application_id = 7", "no results database"},
    {"KeyThatIsNoHash", "UPDATE cell SET identity_json = '{}' WHERE kind = 'train'", "has not the hash"},
    {"ForeignModel", "UPDATE cell SET model_key = 'abc' WHERE kind = 'eval'", "not of the model"},
    {"ConfigThatIsNotItsHash", "UPDATE config SET canonical_text = 'other'", "config of experiment 'one'"},
    {"DanglingRun", "DELETE FROM cell WHERE kind = 'eval'", "is not there"},
    {"HugeValue", "UPDATE run SET message = printf('%.*c', 20000000, 'x')", "too big"},
    {"HugeName", "UPDATE run SET device = printf('%.*c', 5000, 'x')", "run.device"},
    {"ControlCharacters", "UPDATE cell SET label = char(27) || '[2J'", "control characters"},
    {"NoUtf8", "UPDATE cell SET label = CAST(x'ff41' AS TEXT)", "no UTF-8"},
    {"PathOutOfItsFolder", "UPDATE artifact SET path = '../../etc/passwd'", "leads out of its folder"},
    {"AbsolutePath", "UPDATE artifact SET path = '/etc/passwd'", "leads out of its folder"},
    {"RelativeLocationOutOfItsFolder", "UPDATE location SET root = '../..'", "leads out of its folder"},
    {"LogOutOfItsFolder", "UPDATE run SET log_file = '../x'", "leads out of its folder"},
    {"SetNameThatIsAPath",
     "INSERT INTO score_set SELECT uid, '../../x', 'cells/x.npy', '', 1 FROM run WHERE state = 'ok' LIMIT 1",
     "leads out of its folder"},
    {"HashThatIsNone", "UPDATE artifact SET sha256 = 'O''Brien; DROP TABLE cell'", "no hash"},
    {"UidOfTheFarFuture",
     "UPDATE run SET uid = 'ffffffffffffffffffffffffffffffff' WHERE uid = (SELECT max(uid) FROM run);"
     "UPDATE metric SET run_uid = 'ffffffffffffffffffffffffffffffff' WHERE run_uid NOT IN (SELECT uid FROM run)",
     "no uid"},
    {"UnknownState", "UPDATE run SET state = 'superb'", "superb"},
    {"BlobAsFactor", "UPDATE cell_factor SET value = x'00'", "factor"},
    {"WrongType",
     "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = replace(sql, 'STRICT', '') WHERE name = 'run';"
     "PRAGMA writable_schema = RESET; UPDATE run SET thread_count = 'many'; PRAGMA writable_schema = ON;"
     "UPDATE sqlite_schema SET sql = sql || ' STRICT' WHERE name = 'run'; PRAGMA writable_schema = RESET",
     ""},
};
INSTANTIATE_TEST_SUITE_P(Shard, Hostile, ::testing::ValuesIn(kAttacks),
                         [](const auto& attack) { return std::string(attack.param.name); });

using HostileBytes = Hostile;

/// Whatever byte is flipped: refused, or merged with nothing lost and the merged database whole.
TEST_F(HostileBytes, FlippedBytesNeverDamageTheMergedDatabase) {
  change("PRAGMA wal_checkpoint(TRUNCATE)");
  const std::string bytes = read_file(bad_);
  testing::ShardMaker(folder_.path() / "good").all();
  merge_databases(all_, std::vector{folder_.path() / "good" / "results.sqlite"}, {});
  SQLite::Database(all_.string(), SQLite::OPEN_READWRITE).exec("PRAGMA wal_checkpoint(TRUNCATE)");
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::minstd_rand random(seed);
  int refused = 0;
  for (int round = 0; round < 60; ++round) {
    std::string flipped = bytes;
    for (int i = 0; i < 8; ++i) flipped[random() % flipped.size()] ^= static_cast<char>(1 + random() % 255);
    fs::remove(bad_.string() + "-wal");
    fs::remove(bad_.string() + "-shm");
    write_file_atomic(bad_, flipped);
    const fs::path into = folder_.path() / "copy.sqlite";
    fs::copy_file(all_, into, fs::copy_options::overwrite_existing);
    try {
      merge_databases(into, std::vector{bad_}, {});
    } catch (const Error& error) {
      ++refused;
      EXPECT_EQ(error.kind(), ErrorKind::store);
    }
    SQLite::Database merged(into.string());
    EXPECT_EQ(merged.execAndGet("PRAGMA integrity_check").getString(), "ok");
    EXPECT_GE(merged.execAndGet("SELECT count(*) FROM v_valid_run").getInt(), 3);
  }
  EXPECT_GT(refused, 0);
}

}  // namespace
}  // namespace nearfar
