#pragma once
/// Private to store/: one SQLite connection with our pragmas, our schema checked and made the newest, and SQLite's
/// errors turned into Error(store).
#include "store/connect.h"

#include <SQLiteCpp/SQLiteCpp.h>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace nearfar {

/// Error(store) for what SQLite reported about `file`, with what to do about it.
[[noreturn]] void throw_store_error(const std::filesystem::path& file, const SQLite::Exception& error);

/// Now, in milliseconds since 1970, UTC.
std::int64_t unix_ms();
/// "2025-01-31T12:00:00Z".
std::string utc_text(std::int64_t unix_ms);

class Database {
 public:
  enum class Mode { write, read_only };
  Database(const std::filesystem::path& file, Mode mode);
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  const std::filesystem::path& file() const { return file_; }
  /// Absolute: what relative locations are relative to.
  const std::filesystem::path& folder() const { return folder_; }

  /// A statement with its parameters bound in order. Text may be any string type; an empty optional is NULL.
  template <class... Args>
  SQLite::Statement query(const char* sql, const Args&... args) const {
    SQLite::Statement statement(*connection_.database, sql);
    bind_all(statement, args...);
    return statement;
  }
  /// The same statement once more with other parameters: for loops.
  template <class... Args>
  static void again(SQLite::Statement& statement, const Args&... args) {
    statement.reset();
    bind_all(statement, args...);
  }
  /// Runs a statement to its end (RETURNING keeps the write open until then); the number of rows changed.
  template <class... Args>
  int run(const char* sql, const Args&... args) const {
    SQLite::Statement statement = query(sql, args...);
    return finish(statement);
  }
  template <class... Args>
  static int run_again(SQLite::Statement& statement, const Args&... args) {
    again(statement, args...);
    return finish(statement);
  }
  /// First column of the first row of a query, run to its end.
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

  /// Calls `work` with SQLite's exceptions translated.
  template <class Work>
  auto guarded(Work&& work) const {
    try {
      return std::forward<Work>(work)();
    } catch (const SQLite::Exception& error) {
      throw_store_error(file_, error);
    }
  }
  /// `work` as one transaction that takes the write lock at once; inside another transaction it is a part of that which
  /// an exception undoes alone.
  template <class Work>
  auto transaction(Work&& work) {
    return within("BEGIN IMMEDIATE", std::forward<Work>(work));
  }
  /// `work` sees one state of the database from its first to its last read.
  template <class Work>
  auto snapshot(Work&& work) {
    return within("BEGIN", std::forward<Work>(work));
  }
  /// Counts up when something that was done is undone: what was concluded from it holds no longer.
  std::int64_t undone_count() const { return undone_count_; }

 private:
  class Part {
   public:
    Part(Database& database, const char* begin);
    ~Part();
    Part(const Part&) = delete;
    Part& operator=(const Part&) = delete;
    void commit();

   private:
    Database& database_;
    bool outermost_, writes_, done_ = false;
  };

  template <class Work>
  auto within(const char* begin, Work&& work) {
    return guarded([&] {
      Part part(*this, begin);
      if constexpr (std::is_void_v<decltype(work())>) {
        std::forward<Work>(work)();
        part.commit();
      } else {
        auto result = std::forward<Work>(work)();
        part.commit();
        return result;
      }
    });
  }

  template <class... Args>
  static void bind_all(SQLite::Statement& statement, const Args&... args) {
    int index = 0;
    (bind(statement, ++index, args), ...);
  }
  static int finish(SQLite::Statement& statement) {
    while (statement.executeStep()) {
    }
    return statement.getChanges();
  }
  static void bind(SQLite::Statement& statement, int index, std::string_view text) {
    statement.bind(index, std::string(text));
  }
  static void bind(SQLite::Statement& statement, int index, std::int64_t number) { statement.bind(index, number); }
  static void bind(SQLite::Statement& statement, int index, int number) { statement.bind(index, number); }
  static void bind(SQLite::Statement& statement, int index, bool number) { statement.bind(index, number ? 1 : 0); }
  static void bind(SQLite::Statement& statement, int index, double number) { statement.bind(index, number); }
  template <class T>
  static void bind(SQLite::Statement& statement, int index, const std::optional<T>& value) {
    if (value) {
      bind(statement, index, *value);
    } else {
      statement.bind(index);
    }
  }

  void connect_to_write();
  void connect_to_read();
  void use_write_ahead_log();
  /// The schema's version, 0 for an empty database; Error(store) if it is not ours, newer or damaged.
  int checked_version() const;
  bool is_empty() const;

  std::filesystem::path file_, folder_;
  Connection connection_;
  int depth_ = 0;
  std::int64_t undone_count_ = 0;
};

}  // namespace nearfar
