#include "store/sqlite_database.h"

#include "store/backup.h"
#include "store/faults.h"
#include "store/file_system.h"
#include "store/migrate.h"
#include "store/schema.h"

#include <SQLiteCpp/SQLiteCpp.h>
#include <fmt/core.h>
#include <sqlite3.h>

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

class SqliteStatement final : public Statement {
 public:
  SqliteStatement(const std::filesystem::path& file, SQLite::Database& database, const char* sql)
      : file_(file), statement_(translate(file, [&] { return SQLite::Statement(database, sql); })) {}

  void bind(int index, std::string_view text) override {
    translate(file_, [&] { statement_.bind(index, std::string(text)); });
  }
  void bind(int index, std::int64_t number) override {
    translate(file_, [&] { statement_.bind(index, number); });
  }
  void bind(int index, double number) override {
    translate(file_, [&] { statement_.bind(index, number); });
  }
  void bind(int index, const ParamValue& value) override {
    std::visit([&](const auto& held) { detail::bind_one(*this, index, held); }, value);
  }
  void bind_null(int index, Type) override {
    translate(file_, [&] { statement_.bind(index); });
  }
  bool step() override {
    return translate(file_, [&] { return statement_.executeStep(); });
  }
  void reset() override {
    translate(file_, [&] { statement_.reset(); });
  }
  int changed() const override { return statement_.getChanges(); }

  bool is_null(int column) const override { return statement_.isColumnNull(column); }
  std::int64_t number(int column) const override { return statement_.getColumn(column).getInt64(); }
  double real(int column) const override { return statement_.getColumn(column).getDouble(); }
  std::string_view text(int column) const override {
    const SQLite::Column found = statement_.getColumn(column);
    const char* const text = found.getText();
    return {text, static_cast<std::size_t>(found.getBytes())};
  }
  ParamValue value(int column) const override {
    const SQLite::Column found = statement_.getColumn(column);
    if (found.isInteger()) return found.getInt64();
    if (found.isFloat()) return found.getDouble();
    return found.getString();
  }

 private:
  const std::filesystem::path& file_;
  mutable SQLite::Statement statement_;  // SQLiteCpp's getColumn() is not const
};

}  // namespace

void throw_store_error(const std::filesystem::path& file, const SQLite::Exception& error) {
  throw Error(ErrorKind::store, fmt::format("{}: database error: {} (SQLite code {}); {}", file.string(), error.what(),
                                            error.getExtendedErrorCode(), advice(error.getErrorCode() & 0xff)));
}

template <class Work>
auto SqliteDatabase::translated(Work&& work) const {
  return translate(file_, work);
}

SqliteDatabase::SqliteDatabase(const std::filesystem::path& file, Mode mode)
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
  translated([&] { mode == Mode::write ? connect_to_write() : connect_to_read(); });
}

void SqliteDatabase::connect_to_write() {
  refuse_network_file_system(file_);
  connection_.database = connect(file_.string(), SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE);
  checked_version();  // before anything is written: switching to WAL changes the file
  use_write_ahead_log();
  connection_.database->exec("PRAGMA synchronous = FULL; PRAGMA foreign_keys = OFF; PRAGMA cache_size = -65536");
  once(Begin::exclusive, [&] {
    const int version = checked_version();  // again, under the lock: another process may have been first
    if (version == kSchemaVersion) return;
    if (version > 0) back_up(file_, fmt::format("v{}.backup", version));
    migrate(*connection_.database, version);
  });
  connection_.database->exec("PRAGMA foreign_keys = ON");
}

void SqliteDatabase::connect_to_read() {
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
    once(Begin::exclusive, [&] { migrate(*connection_.database, version); });
  }
  connection_.database->exec("PRAGMA query_only = ON; PRAGMA cache_size = -65536");
}

void SqliteDatabase::use_write_ahead_log() {
  const std::optional<std::string> mode = text("PRAGMA journal_mode = WAL");
  if (mode == "wal") return;
  throw Error(ErrorKind::store,
              fmt::format("{}: the file system cannot share a database between processes (journal mode {}, needed: "
                          "wal): a network or FUSE folder, most likely; put the database on a local disk with --db",
                          file_.string(), mode.value_or("unknown")));
}

bool SqliteDatabase::is_empty() const { return number("SELECT count(*) FROM sqlite_schema") == 0; }

int SqliteDatabase::checked_version() const {
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
  if (depth() > 0 || std::filesystem::file_size(file_, error) > kQuickCheckBytes || error)
    return static_cast<int>(version);
  if (const std::string found = text("PRAGMA quick_check(1)").value_or("ok"); found != "ok")
    throw Error(ErrorKind::store, fmt::format("{}: {}; {}", file_.string(), found, advice(SQLITE_CORRUPT)));
  return static_cast<int>(version);
}

std::string SqliteDatabase::name() const { return file_.string(); }
std::optional<std::filesystem::path> SqliteDatabase::folder() const { return folder_; }
std::int64_t SqliteDatabase::now() const { return unix_ms(); }
bool SqliteDatabase::reserve(std::string_view) const { return true; }  // whoever claims has the write lock
void SqliteDatabase::has_grown() const {}

std::unique_ptr<Statement> SqliteDatabase::prepare(const char* sql) const {
  return std::make_unique<SqliteStatement>(file_, *connection_.database, sql);
}

void SqliteDatabase::many(const char* sql, std::size_t count, const Each& bind, const Each& read) const {
  SqliteStatement statement(file_, *connection_.database, sql);
  for (std::size_t i = 0; i < count; ++i) {
    if (i > 0) statement.reset();
    bind(i, statement);
    read(i, statement);
  }
}

void SqliteDatabase::begin(Begin begin) {
  writes_ = begin == Begin::exclusive || begin == Begin::shared;
  translated([&] { connection_.database->exec(writes_ ? "BEGIN IMMEDIATE" : "BEGIN"); });
}
void SqliteDatabase::commit() {
  if (writes_) faults().before_write();
  translated([&] { connection_.database->exec("COMMIT"); });
  if (writes_) faults().after_write();
}
void SqliteDatabase::begin_part() {
  translated([&] { connection_.database->exec("SAVEPOINT part"); });
}
void SqliteDatabase::commit_part() {
  translated([&] { connection_.database->exec("RELEASE part"); });
}
// A full disk may have made SQLite undo all of it already: tryExec, not exec.
void SqliteDatabase::roll_back() noexcept { connection_.database->tryExec("ROLLBACK"); }
void SqliteDatabase::roll_back_part() noexcept { connection_.database->tryExec("ROLLBACK TO part; RELEASE part"); }
bool SqliteDatabase::wait_to_repeat(int) const { return false; }  // SQLite itself has waited

}  // namespace nearfar
