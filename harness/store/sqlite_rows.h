#pragma once
/// Private to store/: SQLite's own statements and rows, for merge: it copies values whatever their type is, and lets
/// SQLite::Exception through, because only its caller knows whether the shard or the target is to blame. Everything
/// else goes by Database and rows.h.
#include "base/factor.h"
#include "store/sqlite_database.h"

#include <SQLiteCpp/SQLiteCpp.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace nearfar {

/// Takes the columns of the current row one after the other.
class SqliteRow {
 public:
  explicit SqliteRow(SQLite::Statement& statement) : statement_(statement) {}
  std::string text() { return statement_.getColumn(column_++).getString(); }
  std::int64_t number() { return statement_.getColumn(column_++).getInt64(); }
  double real() { return statement_.getColumn(column_++).getDouble(); }
  /// Columns name, value, is_boolean, is_default.
  Factor factor() {
    Factor factor;
    factor.name = text();
    const SQLite::Column value = statement_.getColumn(column_++);
    if (number() != 0) {
      factor.value = value.getInt64() != 0;
    } else if (value.isInteger()) {
      factor.value = value.getInt64();
    } else if (value.isFloat()) {
      factor.value = value.getDouble();
    } else {
      factor.value = value.getString();
    }
    factor.is_default = number() != 0;
    return factor;
  }

 private:
  SQLite::Statement& statement_;
  int column_ = 0;
};

template <class Make>
auto collect_rows(SQLite::Statement statement, Make make) {
  std::vector<decltype(make(std::declval<SqliteRow&>()))> result;
  while (statement.executeStep()) {
    SqliteRow row(statement);
    result.push_back(make(row));
  }
  return result;
}

/// Database's query(), run() and the like, on a database that outlives it, within a transaction of it.
class SqliteStatements {
 public:
  explicit SqliteStatements(const SqliteDatabase& database) : connection_(database.raw()) {}

  /// A statement with its parameters bound in order. Text may be any string type; an empty optional is NULL.
  template <class... Args>
  SQLite::Statement query(const std::string& sql, const Args&... args) const {
    SQLite::Statement statement(connection_, sql);
    bind_in_order(statement, args...);
    return statement;
  }
  /// The same statement once more with other parameters: for loops.
  template <class... Args>
  static void again(SQLite::Statement& statement, const Args&... args) {
    statement.reset();
    bind_in_order(statement, args...);
  }
  template <class... Args>
  void run(const char* sql, const Args&... args) const {
    SQLite::Statement statement = query(sql, args...);
    finish(statement);
  }
  template <class... Args>
  static void run_again(SQLite::Statement& statement, const Args&... args) {
    again(statement, args...);
    finish(statement);
  }
  /// First column of the first row of a query, run to its end: RETURNING keeps the write open until then.
  template <class... Args>
  std::optional<std::int64_t> number(const char* sql, const Args&... args) const {
    SQLite::Statement statement = query(sql, args...);
    std::optional<std::int64_t> result;
    for (bool first = true; statement.executeStep(); first = false) {
      if (first && !statement.isColumnNull(0)) result = statement.getColumn(0).getInt64();
    }
    return result;
  }
  template <class... Args>
  std::optional<std::string> text(const char* sql, const Args&... args) const {
    SQLite::Statement statement = query(sql, args...);
    if (!statement.executeStep() || statement.isColumnNull(0)) return std::nullopt;
    return statement.getColumn(0).getString();
  }

 private:
  static void finish(SQLite::Statement& statement) {
    while (statement.executeStep()) {
    }
  }
  template <class... Args>
  static void bind_in_order(SQLite::Statement& statement, const Args&... args) {
    int index = 0;
    (bind(statement, ++index, args), ...);
  }
  static void bind(SQLite::Statement& statement, int index, std::string_view text) {
    statement.bind(index, std::string(text));
  }
  static void bind(SQLite::Statement& statement, int index, std::int64_t number) { statement.bind(index, number); }
  static void bind(SQLite::Statement& statement, int index, bool flag) { statement.bind(index, flag ? 1 : 0); }
  static void bind(SQLite::Statement& statement, int index, double number) { statement.bind(index, number); }
  template <class T>
  static void bind(SQLite::Statement& statement, int index, const std::optional<T>& value) {
    if (value) {
      bind(statement, index, *value);
    } else {
      statement.bind(index);
    }
  }

  SQLite::Database& connection_;
};

}  // namespace nearfar
