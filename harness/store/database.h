#pragma once
/// Private to store/: one SQLite connection with our pragmas, our schema checked, and SQLite's errors turned into
/// Error(store).
#include <SQLiteCpp/SQLiteCpp.h>

#include <cstdint>
#include <filesystem>
#include <memory>
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

  const std::filesystem::path& file() const { return file_; }

  /// A statement with its parameters bound in order. Text may be any string type; an empty optional is NULL.
  template <class... Args>
  SQLite::Statement query(const char* sql, const Args&... args) const {
    SQLite::Statement statement(*connection_, sql);
    int index = 0;
    (bind(statement, ++index, args), ...);
    return statement;
  }
  /// Runs a statement to its end (RETURNING keeps the write open until then); the number of rows changed.
  template <class... Args>
  int run(const char* sql, const Args&... args) const {
    SQLite::Statement statement = query(sql, args...);
    while (statement.executeStep()) {
    }
    return statement.getChanges();
  }
  /// First column of the first row of a query, run to its end.
  template <class... Args>
  std::optional<std::int64_t> number(const char* sql, const Args&... args) const {
    SQLite::Statement statement = query(sql, args...);
    std::optional<std::int64_t> result;
    while (statement.executeStep()) {
      if (!result && !statement.isColumnNull(0)) result = statement.getColumn(0).getInt64();
    }
    return result;
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
  /// `work` as one transaction that takes the write lock at once; inside another transaction it is a part of that.
  template <class Work>
  auto transaction(Work&& work) {
    return guarded([&] {
      if (in_transaction_) return std::forward<Work>(work)();
      SQLite::Transaction transaction(*connection_, SQLite::TransactionBehavior::IMMEDIATE);
      const Inside inside(in_transaction_);
      if constexpr (std::is_void_v<decltype(work())>) {
        std::forward<Work>(work)();
        transaction.commit();
      } else {
        auto result = std::forward<Work>(work)();
        transaction.commit();
        return result;
      }
    });
  }

 private:
  struct Inside {
    explicit Inside(bool& flag) : flag_(flag) { flag_ = true; }
    ~Inside() { flag_ = false; }
    bool& flag_;
  };

  static void bind(SQLite::Statement& statement, int index, std::string_view text) {
    statement.bind(index, std::string(text));
  }
  static void bind(SQLite::Statement& statement, int index, std::int64_t number) { statement.bind(index, number); }
  static void bind(SQLite::Statement& statement, int index, int number) { statement.bind(index, number); }
  static void bind(SQLite::Statement& statement, int index, double number) { statement.bind(index, number); }
  template <class T>
  static void bind(SQLite::Statement& statement, int index, const std::optional<T>& value) {
    if (value) {
      bind(statement, index, *value);
    } else {
      statement.bind(index);
    }
  }

  void connect(Mode mode);
  void check_is_ours() const;
  bool is_empty() const;
  void create_schema();

  std::filesystem::path file_;
  std::unique_ptr<SQLite::Database> connection_;
  bool in_transaction_ = false;
};

}  // namespace nearfar
