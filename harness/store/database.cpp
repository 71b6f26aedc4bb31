#include "store/database.h"

#include "base/error.h"
#include "store/backup.h"
#include "store/faults.h"
#include "store/file_system.h"
#include "store/migrate.h"
#include "store/schema.h"

#include <fmt/core.h>
#include <sqlite3.h>

#include <array>
#include <chrono>
#include <ctime>

namespace nearfar {
namespace {

constexpr std::uintmax_t kQuickCheckBytes = 64u << 20;  // reading more than this would be felt at every start

std::string advice(int code) {
  switch (code) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return "another process has been writing to it for too long; wait for it or stop it, then run the same command "
             "again";
    case SQLITE_NOTADB:
      return "this is not an SQLite database; name another file with --db or move this one away";
    case SQLITE_CORRUPT:
      return "the file is damaged; move it away together with its -wal and -shm files, then put back a copy or run "
             "again: "
             "checkpoints, features and scores lie in their own files";
    case SQLITE_FULL:
      return "the disk is full; make room and run the same command again";
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
      return "check that the file and its folder exist and may be read and written by this user";
    case SQLITE_CONSTRAINT:
    case SQLITE_MISMATCH:
      return "a row breaks a rule of the schema: a bug in nearfar, or a benchmark, experiment or train cell that was "
             "not put first";
    default:
      return "check the disk and the file's permissions";
  }
}

}  // namespace

void throw_store_error(const std::filesystem::path& file, const SQLite::Exception& error) {
  throw Error(ErrorKind::store, fmt::format("{}: database error: {} (SQLite code {}); {}", file.string(), error.what(),
                                            error.getExtendedErrorCode(), advice(error.getErrorCode() & 0xff)));
}

std::int64_t unix_ms() {
  using std::chrono::duration_cast, std::chrono::milliseconds;
  return duration_cast<milliseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

std::string utc_text(std::int64_t unix_ms) {
  const std::time_t seconds = static_cast<std::time_t>(unix_ms / 1000);
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  std::array<char, 32> text{};
  return {text.data(), std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &parts)};
}

Database::Database(const std::filesystem::path& file, Mode mode)
    : file_(file), folder_(std::filesystem::absolute(file).parent_path()) {
  std::error_code error;
  if (mode == Mode::read_only && !std::filesystem::exists(file, error)) {
    throw Error(ErrorKind::store,
                fmt::format("{}: there is no results database; run an experiment first, or name its file with --db",
                            file.string()));
  }
  if (mode == Mode::write && file.has_parent_path()) {
    std::filesystem::create_directories(file.parent_path(), error);
    if (error) {
      throw Error(ErrorKind::store,
                  fmt::format("{}: cannot make this folder for the results database: {}; choose another with --out",
                              file.parent_path().string(), error.message()));
    }
  }
  guarded([&] { mode == Mode::write ? connect_to_write() : connect_to_read(); });
}

void Database::connect_to_write() {
  refuse_network_file_system(file_);
  connection_.database = connect(file_.string(), SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE);
  checked_version();  // before anything is written: switching to WAL changes the file
  use_write_ahead_log();
  connection_.database->exec("PRAGMA synchronous = FULL; PRAGMA foreign_keys = OFF; PRAGMA cache_size = -65536");
  transaction([&] {
    const int version = checked_version();  // again, under the lock: another process may have been first
    if (version == kSchemaVersion) return;
    if (version > 0) back_up(file_, fmt::format("v{}.backup", version));
    migrate(*connection_.database, version);
  });
  connection_.database->exec("PRAGMA foreign_keys = ON");
}

void Database::connect_to_read() {
  connection_ = connect_for_reading(file_);
  const int version = checked_version();
  if (version == 0) {
    throw Error(ErrorKind::store,
                fmt::format("{}: the results database is empty; run an experiment first", file_.string()));
  }
  if (version < kSchemaVersion) {
    auto memory = connect(":memory:", SQLite::OPEN_READWRITE);
    copy_database(*connection_.database, *memory);
    connection_ = {nullptr, std::move(memory)};
    transaction([&] { migrate(*connection_.database, version); });
  }
  connection_.database->exec("PRAGMA query_only = ON; PRAGMA cache_size = -65536");
}

void Database::use_write_ahead_log() {
  const std::optional<std::string> mode = text("PRAGMA journal_mode = WAL");
  if (mode == "wal") return;
  throw Error(ErrorKind::store,
              fmt::format("{}: the file system cannot share a database between processes (journal mode {}, needed: "
                          "wal); put the database on a local disk with --db",
                          file_.string(), mode.value_or("unknown")));
}

bool Database::is_empty() const { return number("SELECT count(*) FROM sqlite_schema") == 0; }

int Database::checked_version() const {
  const std::int64_t application = number("PRAGMA application_id").value_or(0);
  const std::int64_t version = number("PRAGMA user_version").value_or(0);
  if (application == 0 && version == 0 && is_empty()) return 0;
  if (application != kApplicationId) {
    throw Error(ErrorKind::store, fmt::format("{}: this SQLite file belongs to another program (application_id "
                                              "{:#010x}, nearfar's is {:#010x}); nothing was "
                                              "changed; name another file with --db",
                                              file_.string(), application, kApplicationId));
  }
  if (version < 1 || version > kSchemaVersion) {
    throw Error(
        ErrorKind::store,
        fmt::format("{}: the results database has schema version {}, this nearfar knows versions 1 to {}; {}",
                    file_.string(), version, kSchemaVersion,
                    version > kSchemaVersion ? "use the newer nearfar that wrote it" : "name another file with --db"));
  }
  std::error_code error;
  if (depth_ > 0 || std::filesystem::file_size(file_, error) > kQuickCheckBytes || error)
    return static_cast<int>(version);
  SQLite::Statement check = query("PRAGMA quick_check(1)");
  if (check.executeStep() && check.getColumn(0).getString() != "ok") {
    throw Error(ErrorKind::store,
                fmt::format("{}: {}; {}", file_.string(), check.getColumn(0).getString(), advice(SQLITE_CORRUPT)));
  }
  return static_cast<int>(version);
}

Database::Part::Part(Database& database, const char* begin)
    : database_(database),
      outermost_(database.depth_ == 0),
      writes_(outermost_ && std::string_view(begin) == "BEGIN IMMEDIATE") {
  database_.connection_.database->exec(outermost_ ? begin : "SAVEPOINT part");
  ++database_.depth_;
}

void Database::Part::commit() {
  if (writes_) faults().before_write();
  database_.connection_.database->exec(outermost_ ? "COMMIT" : "RELEASE part");
  if (writes_) faults().after_write();
  done_ = true;
}

Database::Part::~Part() {
  --database_.depth_;
  if (done_) return;
  ++database_.undone_count_;
  // A full disk may have made SQLite undo all of it already: tryExec, not exec.
  database_.connection_.database->tryExec(outermost_ ? "ROLLBACK" : "ROLLBACK TO part; RELEASE part");
}

}  // namespace nearfar
