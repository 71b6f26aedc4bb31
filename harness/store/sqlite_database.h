#pragma once
/// Private to store/: one SQLite file with our pragmas, for processes of one host.
#include "store/connect.h"
#include "store/database.h"

#include <SQLiteCpp/Exception.h>

namespace nearfar {

/// Error(store) for what SQLite reported about `file`, with what to do about it.
[[noreturn]] void throw_store_error(const std::filesystem::path& file, const SQLite::Exception& error);

/// Calls `work` with SQLite's exceptions about `file` turned into ours.
template <class Work>
auto translate(const std::filesystem::path& file, Work&& work) {
  try {
    return work();
  } catch (const SQLite::Exception& error) {
    throw_store_error(file, error);
  }
}

class SqliteDatabase final : public Database {
 public:
  /// As Session::open and open_read_only say.
  SqliteDatabase(const std::filesystem::path& file, Mode mode);

  const std::filesystem::path& file() const { return file_; }
  /// For what works on files of SQLite alone: sqlite_rows.h.
  SQLite::Database& raw() const { return *connection_.database; }

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
  template <class Work>
  auto translated(Work&& work) const;
  void connect_to_write();
  void connect_to_read();
  void use_write_ahead_log();
  /// The schema's version, 0 for an empty database; Error(store) if it is not ours, newer or damaged.
  int checked_version() const;
  bool is_empty() const;

  std::filesystem::path file_, folder_;
  Connection connection_;
  bool writes_ = false;  // the transaction that is open
};

}  // namespace nearfar
