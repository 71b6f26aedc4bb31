#include "store/shard.h"

#include "base/error.h"
#include "store/backup.h"
#include "store/migrate.h"
#include "store/schema.h"
#include "store/sqlite_database.h"

#include <fmt/core.h>
#include <sqlite3.h>

#include <algorithm>
#include <map>
#include <tuple>
#include <utility>

namespace nearfar {
namespace {

namespace fs = std::filesystem;

constexpr int kMostBytes = 16 << 20;  // of one value, or of one row
constexpr std::size_t kMostNameBytes = 4096, kMostHexDigits = 128;

/// So that nothing in the file is executed, and nothing in it can make us hold more than a little.
void harden(SQLite::Database& connection) {
  sqlite3* const handle = connection.getHandle();
  for (const auto& [option, on] :
       {std::pair{SQLITE_DBCONFIG_DEFENSIVE, 1}, std::pair{SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0},
        std::pair{SQLITE_DBCONFIG_ENABLE_TRIGGER, 0}, std::pair{SQLITE_DBCONFIG_ENABLE_VIEW, 0},
        std::pair{SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0}}) {
    sqlite3_db_config(handle, option, on, nullptr);
  }
  sqlite3_limit(handle, SQLITE_LIMIT_LENGTH, kMostBytes);
  sqlite3_limit(handle, SQLITE_LIMIT_ATTACHED, 0);
  sqlite3_limit(handle, SQLITE_LIMIT_TRIGGER_DEPTH, 0);
  connection.exec("PRAGMA cell_size_check = ON; PRAGMA mmap_size = 0; PRAGMA foreign_keys = OFF");
}

using Schema = std::map<std::tuple<std::string, std::string>, std::string>;  // (type, name) → SQL

Schema schema_of(const SQLite::Database& connection) {
  Schema schema;
  SQLite::Statement rows(connection,
                         "SELECT type, name, coalesce(sql, '') FROM sqlite_schema WHERE name NOT LIKE 'sqlite\\_%'"
                         " ESCAPE '\\'");
  while (rows.executeStep()) {
    schema[{rows.getColumn(0).getString(), rows.getColumn(1).getString()}] = rows.getColumn(2).getString();
  }
  return schema;
}

const Schema& our_schema() {
  static const Schema schema = [] {
    SQLite::Database memory(":memory:", SQLite::OPEN_READWRITE);
    migrate(memory, 0);
    return schema_of(memory);
  }();
  return schema;
}

bool is_utf8(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    const auto byte = [&](std::size_t at) { return static_cast<unsigned char>(text[at]); };
    const unsigned char first = byte(i);
    const std::size_t length = first < 0x80   ? 1
                               : first < 0xC2 ? 0
                               : first < 0xE0 ? 2
                               : first < 0xF0 ? 3
                               : first < 0xF5 ? 4
                                              : 0;
    if (length == 0 || i + length > text.size()) return false;
    for (std::size_t k = 1; k < length; ++k) {
      if ((byte(i + k) & 0xC0) != 0x80) return false;
    }
    i += length;
  }
  return true;
}

/// Nothing that moves a terminal's cursor or changes its colour.
bool has_control(std::string_view text) {
  return std::ranges::any_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

bool stays_beneath(const fs::path& path) { return !path.is_absolute() && std::ranges::find(path, "..") == path.end(); }

}  // namespace

Shard::Shard(const fs::path& file, std::string then)
    : file_(file), folder_(fs::absolute(file).parent_path()), then_(std::move(then)) {
  std::error_code error;
  if (!fs::is_regular_file(file, error)) {
    throw Error(
        ErrorKind::store,
        fmt::format("{}: is not there, or is no file; expected a results.sqlite of nearfar; {}", file.string(), then_));
  }
  try {
    open();
  } catch (const SQLite::Exception& failure) {
    throw_store_error(file, failure);
  }
}

void Shard::open() {
  connection_ = connect_for_reading(file_);
  harden(*connection_.database);
  const int application = connection_.database->execAndGet("PRAGMA application_id").getInt();
  const int version = connection_.database->execAndGet("PRAGMA user_version").getInt();
  if (application != kApplicationId) {
    throw Error(ErrorKind::store,
                fmt::format("{}: is no results database of nearfar (application_id {:#010x}, expected "
                            "{:#010x}); {}",
                            file_.string(), static_cast<unsigned>(application), kApplicationId, then_));
  }
  if (version < 1 || version > kSchemaVersion) {
    throw Error(ErrorKind::store,
                fmt::format("{}: has schema version {}, this nearfar knows versions 1 to {}; read it with the newest "
                            "nearfar; {}",
                            file_.string(), version, kSchemaVersion, then_));
  }
  if (version < kSchemaVersion) make_newest(version);
  check_schema();
  check_contents();
  connection_.database->exec("PRAGMA query_only = ON; BEGIN");  // one state, from the first to the last read
}

void Shard::refuse(const std::string& why) const {
  throw Error(
      ErrorKind::store,
      fmt::format("{}: {}; it was not made by nearfar, or was changed or damaged since: leave it out, or make it "
                  "anew; {}",
                  file_.string(), why, then_));
}

/// In memory. Before a statement of ours runs there: no triggers, no tables that are modules or compute their columns.
void Shard::make_newest(int version) {
  {  // gone before its database is
    SQLite::Statement strange(
        *connection_.database,
        "SELECT type || ' ' || name FROM sqlite_schema WHERE type NOT IN ('table', 'index', 'view')"
        " OR (type = 'table' AND (rootpage = 0 OR sql LIKE '%generated%' OR sql LIKE '% AS (%'))");
    if (strange.executeStep()) refuse(fmt::format("its schema has a {}", strange.getColumn(0).getString()));
  }
  auto memory = connect(":memory:", SQLite::OPEN_READWRITE);
  copy_database(*connection_.database, *memory);
  harden(*memory);
  memory->exec("BEGIN");
  migrate(*memory, version);
  memory->exec("COMMIT");
  connection_ = {nullptr, std::move(memory)};
}

void Shard::check_schema() const {
  const Schema found = schema_of(*connection_.database);
  for (const auto& [name, sql] : found) {
    const auto ours = our_schema().find(name);
    if (ours == our_schema().end())
      refuse(fmt::format("its schema has a {} '{}' that nearfar does not know", std::get<0>(name), std::get<1>(name)));
    if (ours->second != sql)
      refuse(fmt::format("its {} '{}' is not defined as nearfar defines it", std::get<0>(name), std::get<1>(name)));
  }
  for (const auto& [name, sql] : our_schema()) {
    if (!found.contains(name)) refuse(fmt::format("its schema lacks {} '{}'", std::get<0>(name), std::get<1>(name)));
  }
}

void Shard::check_contents() const {
  SQLite::Statement whole = query("PRAGMA quick_check(1)");  // types, NOT NULL and CHECKs of every row
  if (whole.executeStep() && whole.getColumn(0).getString() != "ok") refuse(whole.getColumn(0).getString());
  SQLite::Statement keys = query("PRAGMA foreign_key_check");
  if (keys.executeStep()) {
    refuse(fmt::format("a row of table {} refers to one of {} that is not there", keys.getColumn(0).getString(),
                       keys.getColumn(2).getString()));
  }
}

void Shard::check(std::string_view text, TextRule rule, std::string_view what) const {
  const auto shown = [&] {
    std::string plain(text.substr(0, 60));
    std::ranges::replace_if(
        plain,
        [](char c) {
          return has_control({&c, 1}) || (c & 0x80) != 0;
        },
        '?');
    return plain;
  };
  if (!is_utf8(text)) refuse(fmt::format("{} '{}' is no UTF-8", what, shown()));
  if (rule == TextRule::text) return;  // SQLITE_LIMIT_LENGTH limits it
  if (text.size() > kMostNameBytes)
    refuse(fmt::format("{} has {} bytes, at most {} are expected", what, text.size(), kMostNameBytes));
  if (has_control(text)) refuse(fmt::format("{} '{}' has control characters", what, shown()));
  if (rule == TextRule::path && !stays_beneath(text))
    refuse(fmt::format("{} '{}' leads out of its folder", what, shown()));
  if (rule == TextRule::hex &&
      (text.size() > kMostHexDigits || text.find_first_not_of("0123456789abcdef") != std::string_view::npos)) {
    refuse(fmt::format("{} '{}' is no hash", what, shown()));
  }
}

}  // namespace nearfar
