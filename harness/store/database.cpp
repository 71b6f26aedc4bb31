#include "store/database.h"

#include "base/error.h"
#include "store/schema.h"

#include <fmt/core.h>
#include <sqlite3.h>

#include <array>
#include <chrono>
#include <ctime>

namespace nearfar {
namespace {

constexpr int kBusyTimeoutMilliseconds = 20'000;
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

Database::Database(const std::filesystem::path& file, Mode mode) : file_(file) {
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
  guarded([&] { connect(mode); });
}

void Database::connect(Mode mode) {
  if (mode == Mode::read_only) {
    try {
      connection_ = std::make_unique<SQLite::Database>(file_.string(), SQLite::OPEN_READONLY, kBusyTimeoutMilliseconds);
      check_is_ours();
    } catch (const SQLite::Exception& error) {
      // A WAL file in a folder that cannot be written has no room for its shared index: nobody can be writing, so it is
      // read as it is.
      const int code = error.getErrorCode() & 0xff;
      if (code != SQLITE_CANTOPEN && code != SQLITE_READONLY) throw;
      const std::string uri = "file://" + std::filesystem::absolute(file_).string() + "?immutable=1";
      connection_ =
          std::make_unique<SQLite::Database>(uri, SQLite::OPEN_READONLY | SQLite::OPEN_URI, kBusyTimeoutMilliseconds);
      check_is_ours();
    }
    if (is_empty())
      throw Error(ErrorKind::store,
                  fmt::format("{}: the results database is empty; run an experiment first", file_.string()));
    return;
  }
  connection_ = std::make_unique<SQLite::Database>(file_.string(), SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE,
                                                   kBusyTimeoutMilliseconds);
  check_is_ours();  // before anything is written: switching to WAL changes the file
  run("PRAGMA journal_mode = WAL");
  run("PRAGMA synchronous = FULL");
  run("PRAGMA foreign_keys = ON");
  transaction([&] {
    check_is_ours();
    if (is_empty()) create_schema();
  });
}

bool Database::is_empty() const { return number("SELECT count(*) FROM sqlite_schema") == 0; }

void Database::check_is_ours() const {
  const std::int64_t application = number("PRAGMA application_id").value_or(0);
  const std::int64_t version = number("PRAGMA user_version").value_or(0);
  if (application == 0 && version == 0 && is_empty()) return;
  if (application != kApplicationId) {
    throw Error(ErrorKind::store, fmt::format("{}: this SQLite file belongs to another program (application_id "
                                              "{:#010x}, nearfar's is {:#010x}); nothing was "
                                              "changed; name another file with --db",
                                              file_.string(), application, kApplicationId));
  }
  if (version != kSchemaVersion) {
    throw Error(
        ErrorKind::store,
        fmt::format("{}: the results database has schema version {}, this nearfar knows version {}; {}", file_.string(),
                    version, kSchemaVersion,
                    version > kSchemaVersion ? "use the newer nearfar that wrote it" : "name another file with --db"));
  }
  std::error_code error;
  if (in_transaction_ || std::filesystem::file_size(file_, error) > kQuickCheckBytes || error) return;
  SQLite::Statement check = query("PRAGMA quick_check(1)");
  if (check.executeStep() && check.getColumn(0).getString() != "ok") {
    throw Error(ErrorKind::store,
                fmt::format("{}: {}; {}", file_.string(), check.getColumn(0).getString(), advice(SQLITE_CORRUPT)));
  }
}

void Database::create_schema() {
  connection_->exec(kSchema);
  connection_->exec(
      fmt::format("PRAGMA application_id = {}; PRAGMA user_version = {}", kApplicationId, kSchemaVersion));
}

}  // namespace nearfar
