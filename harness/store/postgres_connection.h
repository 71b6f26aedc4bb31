#pragma once
/// Private to store/: one connection to a PostgreSQL server, over libpq. One thread at a time. What the server reports
/// becomes Error(store), or PassingError where the same may work in a moment.
#include "store/libpq.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace nearfar {

/// Parameters of a statement in PostgreSQL's text format; nullopt is NULL.
struct PostgresParameters {
  std::vector<std::optional<std::string>> values = {};
  std::vector<Oid> types = {};
};

/// Rows and count of changes of one statement.
class PostgresResult {
 public:
  explicit PostgresResult(PGresult* result) : result_(result) {}
  const PGresult* get() const { return result_.get(); }
  int rows() const { return libpq().PQntuples(result_.get()); }
  int changed() const;
  std::string_view text(int row, int column) const;  ///< "" for NULL
  /// "COMMIT", "INSERT 0 1".
  std::string_view tag() const { return libpq().PQcmdStatus(result_.get()); }

 private:
  struct Clear {
    void operator()(PGresult* result) const { libpq().PQclear(result); }
  };
  std::unique_ptr<PGresult, Clear> result_;
};

class PostgresConnection {
 public:
  /// `address` as address.h has it. Not connected yet.
  PostgresConnection(std::string address, bool read_only);

  const std::string& name() const { return name_; }
  /// Connects, anew if need be, and prepares the session. A lost transaction is gone.
  void connect();
  bool is_lost() const;

  /// One or several statements without parameters; the result of the last.
  PostgresResult execute(const char* sql) const;
  /// `sql` in SQLite's words, prepared the first time.
  PostgresResult execute(const char* sql, const PostgresParameters& parameters) const;
  /// The same statement `count` times with the parameters that `give(i)` returns, sent together; `take(i, result)` for
  /// each. At the first failure the rest is not run.
  void execute_many(const char* sql, std::size_t count,
                    const std::function<const PostgresParameters&(std::size_t)>& give,
                    const std::function<void(std::size_t, PostgresResult)>& take) const;

 private:
  struct Finish {
    void operator()(PGconn* connection) const { libpq().PQfinish(connection); }
  };
  const std::string& prepared(const char* sql, const std::vector<Oid>& types) const;
  PostgresResult checked(PGresult* result) const;
  void send(const std::string& statement, const PostgresParameters& parameters) const;
  [[noreturn]] void fail(const PGresult* result) const;

  std::string address_, name_;
  bool read_only_;
  std::unique_ptr<PGconn, Finish> connection_;
  mutable std::unordered_map<std::string, std::string> prepared_;  // by text and types of parameters
};

}  // namespace nearfar
