#pragma once
/// Private to store/: the schema `nearfar` in a database of a PostgreSQL server, for any number of hosts.
///
/// Writers share: a claim locks its cell's row and skips what another has locked, so workers never wait for each
/// other's cells. Whoever plans excludes all other writers for that time, by an advisory lock that they hold shared.
/// Readers wait for nobody and nobody waits for them. A transaction whose COMMIT got no answer is looked up by its
/// number after connecting again: it is never stored twice, nor reported lost when it was stored.
#include "store/database.h"
#include "store/postgres_connection.h"

#include <chrono>

namespace nearfar {

class PostgresDatabase final : public Database {
 public:
  /// As Session::open and open_read_only say; `address` as in address.h.
  PostgresDatabase(const std::string& address, Mode mode);
  /// False: the database is there, but nearfar's schema is not.
  static bool has_schema(const std::string& address);

  std::string name() const override;
  std::optional<std::filesystem::path> folder() const override;
  std::int64_t now() const override;
  bool reserve(std::string_view what) const override;
  void has_grown() const override;

 protected:
  std::unique_ptr<Statement> prepare(const char* sql) const override;
  void many(const char* sql, std::size_t count, const Each& bind, const Each& read) const override;
  void begin(Begin begin) override;
  void commit() override;
  void roll_back() noexcept override;
  void begin_part() override;
  void commit_part() override;
  void roll_back_part() noexcept override;
  bool wait_to_repeat(int tries) const override;

 private:
  /// 0: there is no schema yet; Error(store) if it is not ours or newer.
  int checked_version() const;
  void make_schema();
  /// What a transaction starts with: its number, or "", and the server's clock.
  void note_start(const PostgresResult& result);
  bool was_committed(const std::string& transaction) const;

  mutable PostgresConnection connection_;
  std::string transaction_;  ///< number of the one that writes, "" if none does
  std::int64_t server_ms_ = 0;
  std::chrono::steady_clock::time_point server_seen_{};
};

}  // namespace nearfar
