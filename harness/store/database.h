#pragma once
/// Private to store/: a connection to a database with our schema, checked and made the newest. One interface, two
/// implementations: sqlite_database.h and postgres_database.h. SQL is written once, in the words that SQLite has
/// ("?" and "?1" for parameters); dialect.h turns it into PostgreSQL's. What the two differ in besides is said here.
/// One thread at a time. Failures are Error(store).
#include "base/error.h"
#include "store/statement.h"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

namespace nearfar {

/// By this machine's clock: milliseconds since 1970, UTC.
std::int64_t unix_ms();
/// "2025-01-31T12:00:00Z".
std::string utc_text(std::int64_t unix_ms);

/// The same may work in a moment: the connection was lost, or other processes were in the way. Nothing was changed.
class PassingError : public Error {
 public:
  explicit PassingError(const std::string& message) : Error(ErrorKind::store, message) {}
};

class Database {
 public:
  enum class Mode { write, read_only };
  /// How a transaction stands to those of other connections. In SQLite the first two have the only write lock.
  enum class Begin {
    exclusive,  ///< nobody else writes from its beginning to its end
    shared,     ///< others may write other cells meanwhile: each locks the rows that it changes
    look,       ///< reads, and may reserve() what it found
    snapshot,   ///< sees one state of the database from its first to its last read
  };

  virtual ~Database() = default;
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  /// For messages: the file, or the server's address without a password.
  virtual std::string name() const = 0;
  /// Absolute: what relative locations are relative to. nullopt: a server has no folder, all locations are absolute.
  virtual std::optional<std::filesystem::path> folder() const = 0;
  /// Milliseconds since 1970, UTC, by the clock that leases go by: the server's, or that of the only host.
  virtual std::int64_t now() const = 0;
  /// True: until this transaction ends nobody else's reserve() of this `what` is true. Never waits.
  virtual bool reserve(std::string_view what) const = 0;
  /// Many rows are new: tells the planner of queries, where that does not see for itself.
  virtual void has_grown() const = 0;

  /// A statement with its parameters bound in order, prepared once a connection where that pays.
  template <class... Args>
  std::unique_ptr<Statement> query(const char* sql, const Args&... args) const {
    std::unique_ptr<Statement> statement = prepare(sql);
    bind_all(*statement, args...);
    return statement;
  }
  /// Runs a statement to its end (RETURNING keeps the write open until then); the number of rows changed.
  template <class... Args>
  int run(const char* sql, const Args&... args) const {
    const auto statement = query(sql, args...);
    while (statement->step()) {
    }
    return statement->changed();
  }
  /// First column of the first row of a query, run to its end.
  template <class... Args>
  std::optional<std::int64_t> number(const char* sql, const Args&... args) const {
    const auto statement = query(sql, args...);
    std::optional<std::int64_t> result;
    for (bool first = true; statement->step(); first = false) {
      if (first && !statement->is_null(0)) result = statement->number(0);
    }
    return result;
  }
  template <class... Args>
  std::optional<std::string> text(const char* sql, const Args&... args) const {
    const auto statement = query(sql, args...);
    if (!statement->step() || statement->is_null(0)) return std::nullopt;
    return std::string(statement->text(0));
  }
  /// The same statement for each of `rows`, with the tuple of parameters that `values` makes of it. To a server they
  /// travel together.
  template <class Rows, class Values>
  void for_each(const char* sql, const Rows& rows, Values values) const {
    look_up(sql, rows, values, [](std::size_t, Statement& statement) {
      while (statement.step()) {
      }
    });
  }
  /// The same, with read(index, statement) for what each finds.
  template <class Rows, class Values, class Read>
  void look_up(const char* sql, const Rows& rows, Values values, Read read) const {
    if (rows.empty()) return;
    many(
        sql, rows.size(),
        [&](std::size_t i, Statement& statement) {
          std::apply([&](const auto&... parameter) { bind_all(statement, parameter...); }, values(rows[i]));
        },
        read);
  }

  /// `work` as one transaction; inside another one it is a part of that which an exception undoes alone. Where the
  /// failure passes, all of it is undone and `work` called again: it must not mind.
  template <class Work>
  auto transaction(Begin begin, Work&& work) {
    return again_if_it_passes([&] { return once(begin, work); });
  }
  /// The same, but `work` is called once: what passes is an Error as any other.
  template <class Work>
  auto once(Begin begin, Work&& work) {
    Part part(*this, begin);
    if constexpr (std::is_void_v<decltype(work())>) {
      work();
      part.commit();
    } else {
      auto result = work();
      part.commit();
      return result;
    }
  }
  /// `work` of one statement: within a transaction it needs no part of its own, which would cost two more.
  template <class Work>
  auto statement(Begin begin, Work&& work) {
    return depth_ > 0 ? work() : transaction(begin, work);
  }
  /// `work` of single reads that need no common state.
  template <class Work>
  auto reading(Work&& work) const {
    return again_if_it_passes(work);
  }

  /// Within the transaction that made, or may have made, a cell ready: when it is committed, next_ready() of every
  /// session looks again from the start.
  void note_ready_change();
  /// Counts up when something that was done is undone, and when something becomes ready in a transaction that is still
  /// open: what this session concluded from before holds no longer.
  std::int64_t change_count() const { return change_count_; }

 protected:
  Database() = default;
  using Each = std::function<void(std::size_t index, Statement& statement)>;
  virtual std::unique_ptr<Statement> prepare(const char* sql) const = 0;
  virtual void many(const char* sql, std::size_t count, const Each& bind, const Each& read) const = 0;
  virtual void begin(Begin begin) = 0;
  virtual void commit() = 0;
  virtual void roll_back() noexcept = 0;
  virtual void begin_part() = 0;
  virtual void commit_part() = 0;
  virtual void roll_back_part() noexcept = 0;
  /// After the `tries`th failure that passes: waits, and true if it is worth another try.
  virtual bool wait_to_repeat(int tries) const = 0;
  int depth() const { return depth_; }

 private:
  class Part {
   public:
    Part(Database& database, Begin begin);
    ~Part();
    Part(const Part&) = delete;
    Part& operator=(const Part&) = delete;
    void commit();

   private:
    Database& database_;
    bool outermost_, writes_, done_ = false;
  };

  template <class Work>
  auto again_if_it_passes(Work&& work) const {
    for (int tries = 1;; ++tries) {
      try {
        return work();
      } catch (const PassingError&) {
        if (depth_ > 0 || !wait_to_repeat(tries)) throw;  // within a transaction all of that has to be repeated
      }
    }
  }

  int depth_ = 0;
  bool ready_change_ = false;
  std::int64_t change_count_ = 0;
};

}  // namespace nearfar
